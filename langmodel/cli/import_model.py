"""`langmodel import-model`: weights of another program's recurrent language model -> a model file."""

from pathlib import Path

import click

from langmodel.formats.foreign_weights import imported, read_state_dict
from langmodel.storage.model_file import save_model
from langmodel.text.printable import printable
from langmodel.text.sources import read_rows


@click.command("import-model")
@click.argument("weights", type=click.Path(path_type=Path), metavar="WEIGHTS.pt")
@click.option("--vocabulary", required=True, metavar="WORDS.txt", help="Words by index, one per line.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="MODEL.safetensors",
    help="The model file to write.",
)
@click.option("--lowercase", is_flag=True, help="The model was trained on lower-cased text.")
def command(weights: Path, vocabulary: str, output: Path, lowercase: bool) -> None:
    """Turn a word language model of pytorch/examples, or one of neural-complexity, into a model file.

    WEIGHTS.pt holds the state dictionary alone, as `torch.save(model.state_dict(), ...)` writes it. WORDS.txt
    is the model's own vocabulary, including <eos>; an RNN is assumed to use tanh.
    """
    words = [line.strip() for line in read_rows(vocabulary) if line.strip()]
    saved = imported(read_state_dict(weights), words, weights.name, lowercase=lowercase)
    save_model(output, saved)
    a = saved.network.architecture
    print(
        f"{a.cell.upper()} {'-'.join(map(str, a.hidden_sizes))}, {len(saved.vocabulary):,} vocabulary rows, "
        f"{saved.network.parameter_count:,} parameters, written to {printable(str(output))}"
    )
