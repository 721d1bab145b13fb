"""`langmodel export-web`: one HTML file that samples, suggests and judges offline."""

import sys
from contextlib import suppress
from pathlib import Path

import click

from langmodel.cli.options import Choice, threads_option
from langmodel.errors import InputError
from langmodel.inference.language_model import LanguageModel
from langmodel.network.device import prepare_cpu
from langmodel.runs.run_corpus import corpus_of_run, open_matching_corpus
from langmodel.storage.atomic import write_atomically
from langmodel.text.corpus_files import is_corpus
from langmodel.text.printable import printable
from langmodel.web.export import export_page
from langmodel.web.packing import FORMATS
from langmodel.web.served import open_model

DRAWN_SENTENCES = 200
"""What a page's weights are judged by where there is no text."""


def _text_to_judge(lm: LanguageModel, model: Path, given: str | None) -> tuple[str, Path | list[str]]:
    """What to call it, and a file, a corpus, or sentences."""
    if given is not None:
        return given, Path(given)
    with suppress(InputError, OSError):
        corpus = corpus_of_run(model)
        if open_matching_corpus(lm, corpus).statistics["valid"].tokens:
            return "the validation split of its corpus", corpus
    drawn = lm.sample(DRAWN_SENTENCES, seed=0)
    return f"{DRAWN_SENTENCES} sentences that it drew itself", [sentence.text for sentence in drawn]


def _perplexity(lm: LanguageModel, text: Path | list[str]) -> float:
    if isinstance(text, Path) and is_corpus(text):
        return lm.evaluate_ids(open_matching_corpus(lm, text).split("valid")).perplexity
    return (lm.evaluate(text) if isinstance(text, Path) else lm.evaluate_lines(text)).perplexity


@click.command("export-web")
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write.",
)
@click.option(
    "--weights",
    type=Choice(FORMATS),
    default="int8",
    show_default=True,
    help="int8: a byte per weight, a scale per row. float16: twice as large, but closer.",
)
@click.option("--title", help="Title of the page.  [default: the model's name]")
@click.option(
    "--judge-by",
    metavar="FILE|CORPUS",
    help="Text on which to measure the cost of rounding.  [default: the corpus of the run, if it is there]",
)
@click.option("--overwrite", is_flag=True, help="Replace a page that exists.")
@threads_option
def command(
    model: Path,
    output: Path,
    weights: str,
    title: str | None,
    judge_by: str | None,
    overwrite: bool,
    threads: int | None,
) -> None:
    """Write MODEL as one HTML file that anyone can open: it writes sentences, suggests next words and judges
    text in the browser, without a server or a connection. It contains the vocabulary, but no other text of
    the corpus.
    """
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists; choose another -o, or add --overwrite")
    prepare_cpu(threads)
    served = open_model(model, "cpu", set())
    if served.lm.ngrams is not None:
        print("the page has the network alone, without the model's n-grams", file=sys.stderr)
        served = open_model(model, "cpu", set(), network_only=True)
    name, text = _text_to_judge(served.lm, model, judge_by)
    before = _perplexity(served.lm, text)
    notes = [("weights", f"rounded to {weights}")]
    page = export_page(served, title or served.name, weights, notes)
    after = _perplexity(page.lm, text)
    data = page.html.encode()
    write_atomically(output, data)
    print(f"{printable(str(output))}: {len(data) / 1e6:.1f} MB")
    cost = round(after / before - 1, 4) + 0.0  # not -0.0
    print(f"perplexity on {printable(name)}: {before:.2f} as trained, {after:.2f} in the page ({cost:+.2%})")
    if served.lm.pipeline.tokenizer == "jieba":
        print(
            "the page cuts Chinese at the longest words of the vocabulary, not as jieba does", file=sys.stderr
        )
