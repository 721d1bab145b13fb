"""What a corpus directory is made of."""

from pathlib import Path

SPLITS = ("train", "valid", "test")

RARE_WORDS = "rare_words.json"

FILES = ("corpus.json", "vocabulary.json", RARE_WORDS, *(f"{split}.npy" for split in SPLITS))
"""Everything that a corpus directory may hold."""


def is_corpus(path: Path) -> bool:
    return path.joinpath("corpus.json").is_file()
