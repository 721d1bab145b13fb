"""`langmodel compare`: several runs, side by side."""

from html import escape
from pathlib import Path

import click

from langmodel.display.comparison import as_html, as_text, chart, comparison_rows, summary
from langmodel.display.narration import Narrator
from langmodel.errors import InputError
from langmodel.storage.atomic import write_atomically

PAGE_STYLE = (
    ":root{color-scheme:light dark}"
    "body{margin:1rem auto;max-width:62rem;padding:0 1rem;font-family:system-ui}"
    "table{border-collapse:collapse}td,th{padding:.25rem .8rem;border-bottom:1px solid #8886}"
    "td{text-align:right;font-variant-numeric:tabular-nums}th{text-align:left}svg{max-width:100%;background:#fff}"
)


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option("--svg", type=click.Path(path_type=Path), help="Write their validation curves into one chart.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with the table and the chart.")
def command(runs: tuple[Path, ...], svg: Path | None, html: Path | None) -> None:
    """Print what differs in the settings of several runs, and what each reached.

    Perplexities are compared only for runs on the same corpus; bits per character can be compared across
    corpora of the same text.
    """
    summaries = [summary(run) for run in runs]
    table = comparison_rows(summaries)
    print(as_text(table))
    if svg is None and html is None:
        return
    drawn = chart(summaries)
    if drawn is None:
        raise InputError("the chart needs matplotlib: pip install 'langmodel[plot]'")
    narrator = Narrator()
    if svg is not None:
        write_atomically(svg, drawn.encode())
        narrator.say(f"written: {svg}")
    if html is not None:
        title = " · ".join(escape(run.name) for run in summaries)
        page = (
            "<!doctype html><html lang=en><meta charset=utf-8>"
            "<meta name=viewport content='width=device-width'>"
            f"<title>{title}</title><style>{PAGE_STYLE}</style><h1>Runs compared</h1>{as_html(table)}"
            f"<p>{drawn[drawn.index('<svg') :]}</p></html>"
        )
        write_atomically(html, page.encode())
        narrator.say(f"written: {html}")
