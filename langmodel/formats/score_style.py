"""What every output format of `langmodel score` shares: its settings, and how numbers are written."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from langmodel.inference.results import SentenceScore

LN_OF_BASE = {"e": 1.0, "2": math.log(2), "10": math.log(10)}

IN_CELL = str.maketrans(dict.fromkeys("\t\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", " "))
"""What would cut a cell, or a row, for one program or another."""


@dataclass(frozen=True)
class Style:
    """Settings that every output format receives."""

    base: str = "e"
    per_word: bool = False
    header: bool = True
    file: str = "-"
    """The input's name, for formats that print it."""
    srilm_debug: int = 0
    srilm_unk: bool = False
    """SRILM's -unk: an unknown word is the word <unk>. Without it, unknown words are left out."""
    places: bool = False
    """tsv, jsonl: with the place of each sentence in its text."""
    written: bool = False
    """tsv: a row for each whitespace word of the text."""
    mask_unknown: bool = False
    """lm-zoo, neural-complexity: a word that the model does not know is shown as <unk>."""

    def log(self, natural: float) -> float:
        return natural / LN_OF_BASE[self.base]


@dataclass(frozen=True)
class Format:
    """What writes a format, and what it needs to know of each word."""

    write: Callable[[Iterator[SentenceScore], Style], Iterator[str]]
    help: str
    detail: Callable[[Style], str] = lambda style: "log_prob"
    """What it shows of each word: more than its log-probability takes passes over every distribution."""


def six(value: float) -> str:
    """Six decimals, without a minus in front of nothing."""
    shown = f"{value:.6f}"
    return shown.removeprefix("-") if float(shown) == 0 else shown


def finite(value: float) -> float | None:
    """JSON has neither infinity nor NaN."""
    return value if math.isfinite(value) else None
