"""What a corpus directory is made of."""

from pathlib import Path

SPLITS = ("train", "valid", "test")

RARE_WORDS = "rare_words.json"

SHARDS = "shards.json"
"""For each split, how many ids each piece of the text became, and their checksum."""

FILES = ("corpus.json", "vocabulary.json", RARE_WORDS, SHARDS, *(f"{split}.npy" for split in SPLITS))
"""Everything that a corpus directory may hold."""


def is_corpus(path: Path) -> bool:
    return path.joinpath("corpus.json").is_file()
