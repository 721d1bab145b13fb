"""How sentences are drawn, as plain data; imports no torch."""

import operator
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any

from langmodel.configuration import check_settings, readable, setting, settings
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

    temperature: float = setting(
        1.0, "Below 1: safer; above 1: wilder; 0: always the likeliest word.", least=0, most=MAX_TEMPERATURE
    )
    top_k: int = setting(0, "Only the k likeliest words; 0: all.", least=0)
    top_p: float = setting(
        1.0, "Only the likeliest words that together reach this probability.", above=0, most=1
    )
    """Holtzman et al. 2020."""
    typical_p: float = setting(
        1.0, "Only the words of most typical surprisal that together reach this.", above=0, most=1
    )
    """Meister et al. 2023."""
    min_p: float = setting(
        0.0, "Only words at least this share as likely as the likeliest; 0: all.", least=0, most=1
    )
    """Nguyen et al. 2024."""
    length: int = setting(0, "Exactly this many words; 0: any number.", least=0)
    min_length: int = setting(1, "Minimum number of words; END is ruled out until then.", least=0)
    max_length: int = setting(100, "Maximum number of words; a longer sentence is cut off.", least=1)
    sentences: int = setting(
        1, "In a row, as one passage; the lengths apply to each sentence.", least=1, most=MAX_SENTENCES
    )
    """The state is carried over their ends, as in training."""
    balance: bool = setting(
        True, "Close every opened quotation mark and bracket before the end, and no others."
    )
    unk: str = setting(
        "reject",
        "reject: UNK is ruled out at each word and the rest renormalised. resample-sentence: whole sentences "
        "are drawn, those with UNK dropped; a different distribution. keep: UNK may occur. copy-rare: a rare "
        "word of the training text, drawn by its frequency, replaces it.",
        choices=UNK_POLICIES,
    )

    def __post_init__(self) -> None:
        for name, each in settings(self).items():
            value = getattr(self, name)
            if each.type is int:
                try:
                    operator.index(value)
                except TypeError:
                    raise ConfigError(f"{readable(name)} must be a whole number, got {value!r}") from None
            elif each.type is float and not isinstance(value, Real):
                raise ConfigError(f"{readable(name)} must be a number, got {value!r}")
        check_settings(self)
        if self.max_length < self.min_length:
            raise ConfigError(
                f"max length must be at least min length ({self.min_length}), got {self.max_length}"
            )


def changed(before: SamplingSettings, changes: Mapping[str, Any]) -> SamplingSettings:
    """The settings with some fields replaced. Raises ConfigError for a field that there is not."""
    known = [field.name for field in fields(SamplingSettings)]
    for name in changes:
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}; known: {', '.join(known)}")
    return replace(before, **changes)
