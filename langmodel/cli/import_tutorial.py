"""`langmodel import-tutorial`: the original tutorial's weights -> a model file."""

from pathlib import Path

import click

from langmodel.reference.convert import to_network
from langmodel.reference.tutorial import read_tutorial
from langmodel.storage.model_file import SavedModel, save_model
from langmodel.text.pipeline import Pipeline
from langmodel.text.sources import read_lines


@click.command("import-tutorial")
@click.argument("weights", type=click.Path(path_type=Path), metavar="WEIGHTS.npz")
@click.option("--vocabulary", required=True, metavar="WORDS.txt", help="Words by index, one per line.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="MODEL.safetensors",
    help="The model file to write.",
)
def command(weights: Path, vocabulary: str, output: Path) -> None:
    """Turn the weights that the RNN tutorial's code saved into a model that samples and scores.

    WEIGHTS.npz holds U (hidden × words), V (words × hidden) and W (hidden × hidden). WORDS.txt has
    one word per line; the last is the unknown word, SENTENCE_START and SENTENCE_END are among the others.
    """
    words = [line.strip() for line in read_lines(vocabulary) if line.strip()]
    model, words_by_id = read_tutorial(weights, words, where=vocabulary)
    network = to_network(model)
    save_model(
        output,
        SavedModel(
            network=network,
            vocabulary=words_by_id,
            pipeline=Pipeline(tokenizer="nltk", sentences="line"),
            context="sentence",
            provenance={"imported_from": weights.name},
        ),
    )
    print(f"{len(words_by_id):,} words, {network.parameter_count:,} parameters, written to {output}")
