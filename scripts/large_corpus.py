"""Preprocess a large text that is made on the fly; time and peak memory of every process.

    python scripts/large_corpus.py [--megabytes 1000] [--types 1000000] [--workers N]

Words follow Zipf's law over --types different ones, twenty to a sentence: that many distinct words, more
than a gigabyte of English has, is what memory has to hold.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from measured import measured

WORDS_AT_A_TIME, WORDS_A_SENTENCE = 200_000, 20


def write_text(file: Path, size: int, types: int) -> None:
    random = np.random.default_rng(1)
    cumulative = np.cumsum(1 / np.arange(1, types + 1))
    names = np.array([f"w{n}" for n in range(types)])
    with file.open("w") as text:
        while size > 0:
            places = np.searchsorted(cumulative, random.random(WORDS_AT_A_TIME) * cumulative[-1])
            words = names[places]
            starts = range(0, len(words), WORDS_A_SENTENCE)
            block = "".join(" ".join(words[at : at + WORDS_A_SENTENCE]) + " .\n" for at in starts)
            text.write(block)
            size -= len(block)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=1_000)
    parser.add_argument("--types", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        write_text(text, arguments.megabytes * 10**6, arguments.types)
        workers = ("--workers", str(arguments.workers))
        seconds, peak = measured("preprocess", text, "-o", Path(folder) / "corpus", *workers)
    print(
        f"{arguments.megabytes:,} MB in {seconds:,.0f} s, {arguments.workers} workers; "
        f"the largest process had {peak:,.0f} MB"
    )


if __name__ == "__main__":
    main()
