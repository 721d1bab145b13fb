"""How memory grows with different words, and that it does not grow with lines to score.

python scripts/scaling_memory.py types --types 1e5,1e6
python scripts/scaling_memory.py scoring MODEL --lines 1e5,1e6,1e7
"""

import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
import numpy as np
from measured import measured, whole_numbers

from langmodel.cores import processor
from langmodel.inference.language_model import load

WORDS_PER_LINE = 20
LINES_AT_A_TIME = 10_000


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    print(processor())


@main.command()
@click.option("--types", default="1e5,1e6", show_default=True)
def types(types: str) -> None:
    """Preprocess a text of which every word is another, with one process."""
    print("| types | seconds | MB |")
    print("| --- | --- | --- |")
    for count in whole_numbers(types):
        with tempfile.TemporaryDirectory() as name:
            text = Path(name) / "types.txt"
            with text.open("w") as file:
                for first in range(0, count, WORDS_PER_LINE):
                    file.write(" ".join(f"w{n:x}q" for n in range(first, first + WORDS_PER_LINE)) + "\n")
            seconds, megabytes = measured(
                *("preprocess", text, "-o", Path(name) / "corpus", "--workers", "1"),
                *("--tokenizer", "whitespace", "--sentences", "line"),
            )
        print(f"| {count:,} | {seconds:.1f} | {megabytes:,.0f} |", flush=True)


@main.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--lines", default="1e5,1e6", show_default=True)
@click.option("--workers", default=1, show_default=True)
@click.option("--threads", default=1, show_default=True)
def scoring(model: Path, lines: str, workers: int, threads: int) -> None:
    """Score files of one to five words per line, drawn from the model's vocabulary."""
    words = np.array(load(model).vocabulary.words[3:])
    print("| lines | seconds | lines per second | MB, largest process |")
    print("| --- | --- | --- | --- |")
    for count in whole_numbers(lines):
        with tempfile.TemporaryDirectory() as name:
            text, scores = Path(name) / "lines.txt", Path(name) / "scores.tsv"
            with text.open("w") as file:
                for block in islice(blocks(words), -(-count // LINES_AT_A_TIME)):
                    file.write(block)
            flags = ("--workers", str(workers), "--threads", str(threads))
            seconds, megabytes = measured("score", model, text, *flags, output=scores)
            with scores.open() as file:
                scored = sum(1 for _ in file) - 1
        if scored != count:
            raise SystemExit(f"{scored:,} of {count:,} lines were scored")
        print(f"| {count:,} | {seconds:.1f} | {count / seconds:,.0f} | {megabytes:,.0f} |", flush=True)


def blocks(words: np.ndarray) -> Iterator[str]:
    """Lines without end, LINES_AT_A_TIME together."""
    draw = np.random.default_rng(1)
    while True:
        lengths = draw.integers(1, 6, LINES_AT_A_TIME)
        drawn = iter(words[draw.integers(0, len(words), lengths.sum())].tolist())
        yield "".join(" ".join(islice(drawn, length)) + "\n" for length in lengths.tolist())


if __name__ == "__main__":
    main()
