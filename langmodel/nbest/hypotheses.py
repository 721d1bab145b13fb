"""The entries of n-best lists, whatever program wrote them."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Hypothesis:
    """One entry of a list. Scores are natural logs, whatever the format's own base."""

    list_id: str
    text: str
    fields: tuple[str, ...]
    """The line's parts, as its format needs them to write it again."""
    own: float = 0.0
    """The list's own score: without the language model's part, where a format keeps that apart."""
    own_lm: float = 0.0
    """The language model's part, where a format keeps it apart."""
    before: tuple[str, ...] = ()
    """Lines that stand in front of the entry and belong to its list."""
    after: tuple[str, ...] = ()
    """Lines that follow the entry and belong to it."""
    reference: str | None = None
    """Of its list, where a format holds it."""

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True)
class Rescored:
    """A hypothesis with what the model says of it; natural logs."""

    hypothesis: Hypothesis
    log_prob: float
    """Of its words and END."""
    total: float | None
    """All scores put together; None: not asked for."""


def lists(hypotheses: Sequence[Hypothesis]) -> list[list[int]]:
    """The places of each list's hypotheses, lists in the order in which they begin."""
    places: dict[str, list[int]] = {}
    for place, hypothesis in enumerate(hypotheses):
        places.setdefault(hypothesis.list_id, []).append(place)
    return list(places.values())
