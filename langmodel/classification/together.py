"""A network and a bag of words as one: the product of their probabilities, each to a power."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SHARES = np.linspace(0, 1, 21)
"""Of the bag in the sum of the powers."""

SUMS = np.geomspace(0.05, 50, 31)

SMALLEST = 1e-12
"""No probability counts as less: one sure mistake is not worth all the rest."""


@dataclass(frozen=True)
class Predictions:
    """Of the same texts: what both say, shape (N, C), and what is right, shape (N)."""

    network: Floats
    bag: Floats
    labels: npt.NDArray[np.int64]

    def part(self, rows: slice) -> "Predictions":
        return Predictions(self.network[rows], self.bag[rows], self.labels[rows])

    def together(self, powers: tuple[float, float]) -> Floats:
        """Log-probabilities of the product of powers, shape (N, C)."""
        logs = powers[0] * np.log(np.maximum(self.network, SMALLEST))
        logs += powers[1] * np.log(np.maximum(self.bag, SMALLEST))
        return np.asarray(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))

    def best_powers(self) -> tuple[float, float]:
        """Those on a grid with which the right labels are likeliest."""
        rows = np.arange(len(self.labels))
        tried = [(whole * (1 - share), whole * share) for share in SHARES.tolist() for whole in SUMS.tolist()]
        return max(tried, key=lambda powers: float(self.together(powers)[rows, self.labels].sum()))

    def right(self, powers: tuple[float, float]) -> int:
        return int((self.together(powers).argmax(1) == self.labels).sum())


def accuracy_together(fitted: Predictions, judged: Predictions | None = None) -> float:
    """Of `judged`, with the powers found on `fitted`; without it, of each half of `fitted` by the other's."""
    if judged is not None:
        return judged.right(fitted.best_powers()) / len(judged.labels)
    halves = fitted.part(slice(0, None, 2)), fitted.part(slice(1, None, 2))
    right = sum(half.right(other.best_powers()) for half, other in (halves, halves[::-1]))
    return right / len(fitted.labels)
