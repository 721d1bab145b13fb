"""How sentences are drawn, as plain data; imports no torch."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

from langmodel.errors import ConfigError

MAX_SEED = 2**32 - 1
"""What a CPU generator tells apart."""

MAX_TEMPERATURE = 1e6
"""Beyond it every word is as likely as any other."""

MAX_SENTENCES = 10_000
"""In a row."""

UNK_POLICIES = ("reject", "resample-sentence", "keep", "copy-rare")


@dataclass(frozen=True, kw_only=True)
class SamplingSettings:
    """Out-of-range values raise ConfigError; lengths count words, a prefix's included."""

    temperature: float = 1.0
    """0: always the likeliest word."""
    top_k: int = 0
    """Only the k likeliest words; 0: all."""
    top_p: float = 1.0
    """Only the likeliest words that together reach this probability (Holtzman et al. 2020)."""
    typical_p: float = 1.0
    """Only the words of most typical surprisal that together reach this probability (Meister et al. 2023)."""
    min_length: int = 1
    max_length: int = 100
    length: int = 0
    """Exactly so many words, whatever the least and the most; 0: as it comes."""
    sentences: int = 1
    """In a row, as one passage: the state is carried over their ends, as in training; lengths are of each."""
    balance: bool = True
    """Quotation marks and brackets close before the end, and none closes what was not opened."""
    unk: str = "reject"
    """`reject` renormalises without UNK at each step; `resample-sentence` drops sentences with UNK;
    `keep` lets UNK stand; `copy-rare` lets a rare word of the corpus stand for it. The first two are
    different distributions."""

    def __post_init__(self) -> None:
        for name in ("top_k", "min_length", "max_length", "length", "sentences"):
            try:
                operator.index(getattr(self, name))
            except TypeError:
                shown = f"{name.replace('_', ' ')} must be a whole number, got {getattr(self, name)!r}"
                raise ConfigError(shown) from None
        for name in ("temperature", "top_p", "typical_p"):
            if not isinstance(getattr(self, name), Real):
                raise ConfigError(f"{name.replace('_', ' ')} must be a number, got {getattr(self, name)!r}")
        if not 0 <= self.temperature <= MAX_TEMPERATURE:
            raise ConfigError(
                f"temperature must be a number from 0 to {MAX_TEMPERATURE:g}, got {self.temperature}"
            )
        if self.top_k < 0:
            raise ConfigError(f"top-k must be at least 0 (0: off), got {self.top_k}")
        for name, share in (("top-p", self.top_p), ("typical-p", self.typical_p)):
            if not 0 < share <= 1:
                raise ConfigError(f"{name} must be over 0 and at most 1, got {share}")
        if self.length < 0:
            raise ConfigError(f"length must be at least 0 (0: as it comes), got {self.length}")
        if self.min_length < 0:
            raise ConfigError(f"min length must be at least 0, got {self.min_length}")
        if self.max_length < max(1, self.min_length):
            raise ConfigError(
                f"max length must be at least 1 and at least min length ({self.min_length}), "
                f"got {self.max_length}"
            )
        if not 1 <= self.sentences <= MAX_SENTENCES:
            raise ConfigError(f"sentences must be from 1 to {MAX_SENTENCES:,}, got {self.sentences}")
        if self.unk not in UNK_POLICIES:
            raise ConfigError(f"unknown unk policy {self.unk!r}; choose from {', '.join(UNK_POLICIES)}")


def changed(settings: SamplingSettings, changes: Mapping[str, Any]) -> SamplingSettings:
    """The settings with some fields replaced. Raises ConfigError for a field that there is not."""
    known = [field.name for field in fields(SamplingSettings)]
    for name in changes:
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}; known: {', '.join(known)}")
    return replace(settings, **changes)
