"""Which labels a classifier gives to unlabelled texts may be believed (Yarowsky 1995)."""

# N = texts, C = classes

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Taken:
    """Texts that were given a label: their rows, and the numbers of the labels."""

    rows: list[int]
    labels: list[int]


def believed(probabilities_NC: npt.NDArray[Any], threshold: float, class_shares_C: npt.NDArray[Any]) -> Taken:
    """Texts whose best class has a probability over 1 - `threshold`, shared out among the classes.

    Each class gets its share of the labelled texts, the surest first; otherwise a class that the classifier
    prefers would crowd out the others round by round. Empty if a class has none.
    """
    best_N, sure_N = probabilities_NC.argmax(1), probabilities_NC.max(1)
    candidates = [
        np.flatnonzero((best_N == c) & (sure_N > 1 - threshold)) for c in range(len(class_shares_C))
    ]
    whole = min(
        (len(rows) / share for rows, share in zip(candidates, class_shares_C, strict=True) if share > 0),
        default=0.0,
    )
    chosen: list[tuple[int, int]] = []
    for c, (rows, share) in enumerate(zip(candidates, class_shares_C, strict=True)):
        surest = rows[np.argsort(-sure_N[rows], kind="stable")][: round(whole * share)]
        chosen += [(int(row), c) for row in surest]
    chosen.sort()
    return Taken([row for row, _ in chosen], [label for _, label in chosen])
