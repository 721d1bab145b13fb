"""`langmodel classify`: a label and its probability for each text."""

import sys
from itertools import chain, islice

import click

from langmodel.classification.labelled import Columns, read_texts
from langmodel.cli.options import Choice, device_option, model_argument, threads_option
from langmodel.display.bars import counted
from langmodel.runs.signals import quitting_at_once
from langmodel.text.decoding import UTF_8

FORMATS = {
    "tsv": "the label, then the probability of every class",
    "jsonl": "an object per text",
    "html": "a page that shows how much each word speaks for the label",
}


@click.command("classify")
@model_argument
@click.argument("file", required=False, default="-")
@click.option(
    "--format",
    "format_",
    type=Choice(FORMATS),
    default="tsv",
    show_default=True,
    help="; ".join(f"{name}: {what}" for name, what in FORMATS.items()) + ".",
)
@click.option("--header/--no-header", default=True, help="tsv: whether there is a header row.")
@click.option("--column", default="text", show_default=True, help="Column or field of the text, in a table.")
@click.option("--encoding", default=UTF_8, show_default=True, metavar="NAME", help="Of the file.")
@device_option
@threads_option
def command(
    model: str,
    file: str,
    format_: str,
    header: bool,
    column: str,
    encoding: str,
    device: str,
    threads: int | None,
) -> None:
    """Print the label of each text in FILE, or of each line of standard input, as MODEL classifies it.

    FILE has a text per line, or is a table or a folder as for train-classifier.
    """
    with quitting_at_once():
        from langmodel.classification.classifier import load_classifier
        from langmodel.formats.classifications import WRITERS, html_page
        from langmodel.network.device import prepare_cpu
    prepare_cpu(threads)
    classifier = load_classifier(model, device)
    texts = (each.text for each in read_texts(file, Columns(text=column, encoding=encoding)))
    first = list(islice(texts, 1))  # a file that cannot be read is refused before a header is printed
    read = counted(chain(first, texts), "classifying", answered=True)
    if format_ == "html":
        lines = html_page((classifier.explain(text) for text in read), file)
    else:
        lines = WRITERS[format_](classifier.classify_all(read), classifier.labels, header)
    for line in lines:
        print(line)
    sys.stdout.flush()
