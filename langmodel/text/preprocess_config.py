"""Every setting of preprocessing, with its default."""

from dataclasses import dataclass

from langmodel.errors import ConfigError
from langmodel.text.casing import CASES
from langmodel.text.pipeline import Pipeline
from langmodel.text.sentences import PunktParameters
from langmodel.text.vocabulary import SPECIAL_TOKENS

SPLIT_BY = ("auto", "document", "line")

PROSE_TOKENIZERS = ("nltk", "toktok")
"""Tokenizers of text that capitalises the beginning of a sentence."""


@dataclass(frozen=True, kw_only=True)
class PreprocessConfig:
    """How raw text becomes a corpus."""

    vocabulary_size: int = 8_000
    """Rows of the vocabulary, the three special tokens included."""
    min_count: int | None = None
    """A rarer word becomes UNK; None: 2 where otherwise no word would, else 1."""
    tokenizer: str = "nltk"
    sentences: str = "punkt"
    case: str | None = None
    """One of CASES; None: `true` with a tokenizer of prose, else `keep`."""
    unk_token: str | None = None
    """Literal text that means unknown, in a pretokenized corpus."""
    valid_fraction: float = 0.05
    """Share of the characters that is held out for validation."""
    test_fraction: float = 0.05
    split_by: str = "auto"
    """What is held out whole: `document`, `line` (a passage of a document), or `auto`."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.vocabulary_size <= len(SPECIAL_TOKENS):
            raise ConfigError(
                f"vocabulary size must be at least 4 (three are special), got {self.vocabulary_size}"
            )
        if self.min_count is not None and self.min_count < 1:
            raise ConfigError(f"min count must be at least 1, got {self.min_count}")
        if self.case is not None and self.case not in CASES:
            raise ConfigError(f"unknown case {self.case!r}; choose from {', '.join(CASES)}")
        for name, fraction in (("valid", self.valid_fraction), ("test", self.test_fraction)):
            if not 0 <= fraction < 1:
                raise ConfigError(f"{name} fraction must be at least 0 and under 1, got {fraction}")
        if self.valid_fraction + self.test_fraction > 0.9:
            raise ConfigError("valid and test fractions leave under a tenth of the corpus for training")
        if self.split_by not in SPLIT_BY:
            raise ConfigError(f"unknown split-by {self.split_by!r}; choose from {', '.join(SPLIT_BY)}")
        self.pipeline(punkt=None)

    def pipeline(self, punkt: PunktParameters | None) -> Pipeline:
        """What the settings decide; the words that true-casing lowers are not known yet."""
        return Pipeline(
            tokenizer=self.tokenizer,
            sentences=self.sentences,
            case=self.case or ("true" if self.tokenizer in PROSE_TOKENIZERS else "keep"),
            unk_token=self.unk_token,
            punkt=punkt,
        )
