"""What a format of n-best lists has to do, and how its numbers are read and shown."""

import math
from collections.abc import Iterable, Iterator
from typing import Protocol

from langmodel.errors import InputError
from langmodel.nbest.hypotheses import Hypothesis, Rescored

LN_2, LN_10 = math.log(2), math.log(10)

IMPOSSIBLE = -1e30
"""What -inf becomes: as hopeless, but 0 times it is 0."""


class NBestFormat(Protocol):
    """How one program writes its lists."""

    help: str
    keeps_lm_apart: bool
    """Whether the list's own language model score stands by itself, so that it can be replaced."""
    references_have_ids: bool = False
    """Whether references begin with the name of their list."""
    holds_references: bool = False
    """Whether references stand in the list itself."""

    def read(self, lines: Iterable[str], name: str, group: int | None) -> Iterator[Hypothesis]:
        """Raises InputError, naming file, line and reason, for what is not in this format."""
        ...

    def write(self, rescored: Rescored) -> Iterator[str]: ...

    def best(self, hypothesis: Hypothesis) -> str:
        """The line of a hypothesis that stands for its whole list."""
        return hypothesis.text


def read_number(text: str, what: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: {what} is {text!r}, not a number") from None
    if math.isnan(value) or value == math.inf:
        raise InputError(f"{where}: {what} is {text!r}, no score")
    return max(value, IMPOSSIBLE)


def shown_number(value: float) -> str:
    return f"{value:.6g}"
