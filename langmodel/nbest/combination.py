"""Scores of an n-best list put together, and the weights that make the fewest word errors."""

# L = lists, K = hypotheses of the longest list

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from langmodel.nbest.hypotheses import Hypothesis, lists

Floats = npt.NDArray[np.float64]

WEIGHTS = np.concatenate([[0.0], np.geomspace(0.05, 20, 27)])
BONUSES = np.linspace(-10, 10, 41)
SHARES = np.linspace(0, 1, 11)


@dataclass(frozen=True, kw_only=True)
class Combination:
    """total = own + weight · (share · new + (1 - share) · old) + bonus · words, all in nats.

    `own` is what the list says without a language model, `old` its language model's part, 0 where a format
    does not keep it apart, `new` this model's log-probability.
    """

    weight: float = 1.0
    bonus: float = 0.0
    share: float = 1.0

    def total(self, hypothesis: Hypothesis, log_prob: float) -> float:
        lm = self.share * log_prob + (1 - self.share) * hypothesis.own_lm
        return hypothesis.own + self.weight * lm + self.bonus * hypothesis.words


@dataclass(frozen=True)
class Tuned:
    """The combination of fewest errors, and the errors it leaves."""

    combination: Combination
    errors_before: int
    """Of each list's first hypothesis."""
    errors_after: int
    errors_least: int
    """Of each list's best hypothesis: what no weights can go below."""
    reference_words: int


def tune(
    hypotheses: Sequence[Hypothesis],
    log_probs: Sequence[float],
    errors: Sequence[int],
    reference_words: int,
    *,
    lm_apart: bool,
) -> Tuned:
    """Tries a grid of weights, bonuses and, with `lm_apart`, shares; of equal ones, the smallest weights.

    `errors`: substitutions, deletions and insertions of each hypothesis against its list's reference.
    """
    grouped = lists(hypotheses)
    shape = (len(grouped), max(map(len, grouped)))
    own, old, new, words, wrong = (np.zeros(shape) for _ in range(5))
    own[:] = -np.inf
    for row, places in enumerate(grouped):
        for column, place in enumerate(places):
            h = hypotheses[place]
            own[row, column], old[row, column], new[row, column] = h.own, h.own_lm, log_probs[place]
            words[row, column], wrong[row, column] = h.words, errors[place]
    rows = np.arange(len(grouped))
    best: tuple[float, float, Combination] | None = None
    for share in SHARES if lm_apart else (1.0,):
        lm = share * new + (1 - share) * old
        for weight in WEIGHTS:
            for bonus in BONUSES:
                chosen = (own + weight * lm + bonus * words).argmax(1)
                found = float(wrong[rows, chosen].sum())
                size = weight + abs(bonus)
                if best is None or (found, size) < best[:2]:
                    best = (
                        found,
                        size,
                        Combination(weight=float(weight), bonus=float(bonus), share=float(share)),
                    )
    assert best is not None, "the grid is not empty"
    least = np.where(np.isneginf(own), np.inf, wrong).min(1).sum()  # -inf: no hypothesis there
    return Tuned(best[2], int(wrong[:, 0].sum()), int(best[0]), int(least), reference_words)
