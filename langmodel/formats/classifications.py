"""What `classify` prints: a table, JSON lines, or a page."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape

from langmodel.classification.classifier import Classification, Evidence
from langmodel.formats.score_page import PAGE_STYLE
from langmodel.inference.heat_map import ink
from langmodel.text.printable import printable

STRONGEST = 3.0
"""Log-odds in nats from which a word's ground is as strong as it gets."""

PLAIN, FOR, AGAINST = (250, 250, 250), (0, 114, 178), (213, 94, 0)
"""The middle and the two ends of the scale; blue and orange suit colour-blind readers (Okabe and Ito)."""

STYLE = """
.cl p{margin:.6rem 0;line-height:2}
.cl .w{border-radius:.2rem;padding:.1rem .15rem}
.cl .label{font-weight:600;margin-right:.6rem}
.cl .key{padding:.1rem .4rem;border-radius:.2rem}
"""


def _table(results: Iterable[Classification], labels: Sequence[str], header: bool) -> Iterator[str]:
    if header:
        yield "\t".join(["label", *map(printable, labels)])
    for result in results:
        shares = (f"{result.probabilities[label]:.6f}" for label in labels)
        yield "\t".join([printable(result.label), *shares])


def _json_lines(results: Iterable[Classification], labels: Sequence[str], header: bool) -> Iterator[str]:
    for result in results:
        row = {
            "text": result.text,
            "label": result.label,
            "probability": result.probability,
            "probabilities": dict(result.probabilities),
            "words": result.words,
            "unknown": result.unknown,
        }
        yield json.dumps(row, ensure_ascii=False)


WRITERS: dict[str, Callable[[Iterable[Classification], Sequence[str], bool], Iterator[str]]] = {
    "tsv": _table,
    "jsonl": _json_lines,
}


def html_page(results: Iterable[Evidence], source: str) -> Iterator[str]:
    """A self-contained page: on each word's ground, what it adds. All text is escaped."""
    title = f"Labels of {escape('standard input' if source == '-' else source)}"
    speaks_for = f'<span class=key style="{_style(STRONGEST)}">speaks for</span>'
    against = f'<span class=key style="{_style(-STRONGEST)}">against</span>'
    yield (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{title}</title><style>{PAGE_STYLE}{STYLE}</style><h1>{title}</h1>"
        f"<p>A word {speaks_for} the label if the text is less likely to have it without the word, and "
        f"{against} it if it is more likely. Point at a word for the log-odds that it adds, in nats.</p>"
        "<div class=cl>"
    )
    for result in results:
        yield evidence(result)
    yield "</div></html>"


def evidence(found: Evidence) -> str:
    """A paragraph: the label, its probability, and the words."""
    result = found.classification
    words = " ".join(
        f'<span class=w style="{_style(odds)}" title="{odds:+.2f} nats">{escape(word)}</span>'
        for word, odds in found.words
    )
    return f"<p><span class=label>{escape(result.label)} {result.probability:.1%}</span>{words}</p>"


def _style(odds: float) -> str:
    share = min(1.0, abs(odds) / STRONGEST)
    end = FOR if odds > 0 else AGAINST
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(PLAIN, end, strict=True))
    colour = (red, green, blue)
    return f"background:rgb({red},{green},{blue});color:{ink(colour)}"
