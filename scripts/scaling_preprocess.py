"""How preprocessing grows: words per second and memory, by words and by who does the work.

    python scripts/scaling_preprocess.py --words 1e6,1e7 --with 1,2,local:2

The text is made on the fly: words by Zipf's law over --types different ones, twenty to a line. Each row is a
preprocess of its own; memory is that of its largest process. `coordinator` is what one process does for the
others: cut the text into pieces and deal them out, given pieces that are encoded already.
"""

import json
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import click
from large_corpus import write_text
from measured import measured, whole_numbers

from langmodel.cores import processor
from langmodel.text.dealing import Dealer, Unit
from langmodel.text.encoding import encode_piece
from langmodel.text.pieces import Cutter
from langmodel.text.preprocess_config import PreprocessConfig
from langmodel.text.sources import Reading
from langmodel.text.splitting import HeldOut
from langmodel.text.watching import TextWatch

BYTES_PER_WORD = 6.6
"""Of the text that is made, with a million types."""

OPTIONS = ["--tokenizer", "whitespace", "--sentences", "line"]


def preprocessed(text: Path, output: Path, workers: str) -> tuple[float, float]:
    """Seconds, and megabytes of the largest process."""
    flag = ["--cluster", workers] if ":" in workers else ["--workers", workers]
    return measured("preprocess", text, "-o", output, *OPTIONS, *flag)


def coordinated(text: Path, folder: Path) -> float:
    """Seconds to cut a text and deal out its pieces, once they are encoded."""
    reading = Reading(squeezed=True)
    config = PreprocessConfig(tokenizer="whitespace", sentences="line")
    encode = partial(encode_piece, json.dumps(config.pipeline(punkt=None).to_dict()), reading, folder)
    seconds = 0.0
    for _ in range(2):  # the first time encodes them
        start = time.perf_counter()
        held_out: HeldOut[Unit] = HeldOut(config.valid_fraction, config.test_fraction, seed=0)
        pieces = Cutter(reading, "line", TextWatch(reading)).pieces([str(text)])
        for _ in Dealer(held_out, by_document=False).deal(map(encode, pieces)):
            pass
        seconds = time.perf_counter() - start
    return seconds


@click.command()
@click.option("--words", default="1e6,1e7", show_default=True)
@click.option("--with", "workers", default="1,2,local:2", show_default=True, help="Workers, or local:N.")
@click.option("--types", default=1_000_000, show_default=True)
def main(words: str, workers: str, types: int) -> None:
    print(processor())
    print("| words | by | seconds | words per second | MB, largest process |")
    print("| --- | --- | --- | --- | --- |")
    for count in whole_numbers(words):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            text = folder / "text.txt"
            write_text(text, int(count * BYTES_PER_WORD), types)
            for each in workers.split(","):
                seconds, peak = preprocessed(text, folder / "corpus", each)
                shutil.rmtree(folder / "corpus")
                print(
                    f"| {count:,} | {each} | {seconds:.1f} | {count / seconds:,.0f} | {peak:,.0f} |",
                    flush=True,
                )
            (folder / "parts").mkdir()
            alone = coordinated(text, folder / "parts")
            print(f"| {count:,} | coordinator | {alone:.2f} | {count / alone:,.0f} | – |", flush=True)


if __name__ == "__main__":
    main()
