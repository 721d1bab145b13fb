"""`langmodel info`: what a corpus, a run or a model is."""

from pathlib import Path

import click

from langmodel.display.model_report import model_report
from langmodel.display.reports import corpus_report
from langmodel.storage.model_file import load_model, model_path
from langmodel.text.corpus import is_corpus, open_corpus


@click.command("info")
@click.argument("path", type=click.Path(path_type=Path))
def command(path: Path) -> None:
    """Describe a corpus directory, a run directory or a .safetensors file."""
    if is_corpus(path):
        print(corpus_report(open_corpus(path)))
        return
    file = model_path(path)
    print(model_report(file, load_model(file)))
