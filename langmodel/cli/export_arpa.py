"""`langmodel export-arpa`: the n-grams of a model as an ARPA file."""

from pathlib import Path

import click

from langmodel.cli.options import model_argument
from langmodel.errors import InputError
from langmodel.ngrams.arpa import arpa_lines
from langmodel.storage.atomic import write_atomically
from langmodel.storage.model_file import load_model, model_path
from langmodel.text.printable import printable


@click.command("export-arpa")
@model_argument
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def command(model: Path, output: Path, overwrite: bool) -> None:
    """Write the n-grams that MODEL has beside its network as an ARPA file, which KenLM and SRILM read.

    Words are as the model knows them: tokenized, and in the case of its corpus.
    """
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists; choose another -o, or add --overwrite")
    saved = load_model(model_path(model))
    if saved.ngrams is None:
        raise InputError(f"{model}: has no n-grams beside its network; train it with --ngrams 5")
    ngrams = saved.ngrams.ngrams
    text = "\n".join(arpa_lines(ngrams, saved.vocabulary))
    write_atomically(output, f"{text}\n".encode())
    size = ngrams.size + len(saved.vocabulary)
    print(f"{printable(str(output))}: {size:,} n-grams of up to {ngrams.order} words")
