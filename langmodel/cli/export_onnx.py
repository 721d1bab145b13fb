"""`langmodel export-onnx`: a model's network for ONNX Runtime and others."""

from pathlib import Path

import click

from langmodel.cli.options import model_argument
from langmodel.errors import InputError
from langmodel.formats.onnx_graph import onnx_bytes
from langmodel.storage.atomic import write_atomically
from langmodel.storage.model_file import load_model, model_path
from langmodel.text.printable import printable


@click.command("export-onnx")
@model_argument
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), help="File to write."
)
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def command(model: Path, output: Path, overwrite: bool) -> None:
    """Write the network of MODEL as an ONNX file.

    It takes ids of shape (time, batch) and the state of every layer, and returns the natural-log probability
    of every next word and the new state. START (id 1) goes in first, and again after each END (id 2).
    Vocabulary and tokenizer are in the file's metadata, under `langmodel`.
    """
    if output.exists() and not overwrite:
        raise InputError(f"{output} exists; choose another -o, or add --overwrite")
    saved = load_model(model_path(model))
    data = onnx_bytes(saved)
    write_atomically(output, data)
    without = "" if saved.ngrams is None else "; the n-grams beside the network are left out"
    print(f"{printable(str(output))}: {len(data) / 1e6:.1f} MB{without}")
