"""Is a hand-written gradient right? Compare it with central differences, parameter by parameter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from langmodel.errors import ConfigError
from langmodel.reference.language_model import ReferenceLM


@dataclass(frozen=True)
class GradientCheck:
    """The worst disagreement that was found, and where."""

    relative_error: float
    """|difference| / (|backpropagated| + |estimated|); 0 where both vanish."""
    parameter: str
    index: tuple[int, ...]
    backpropagated: float
    estimated: float
    checked: int
    """How many single numbers were compared."""

    def __str__(self) -> str:
        return (
            f"worst relative error {self.relative_error:.2e} of {self.checked:,} numbers, at "
            f"{self.parameter}{list(self.index)}: {self.backpropagated:.6g} by backpropagation, "
            f"{self.estimated:.6g} by differences"
        )


def gradient_check(
    model: ReferenceLM,
    words: Sequence[int],
    targets: Sequence[int],
    *,
    h: float = 1e-4,
    negligible: float = 1e-9,
) -> GradientCheck:
    """Compare every number of `model.gradients` with (loss(θ + h) - loss(θ - h)) / 2h, as the tutorial does.

    Gradients smaller than `negligible` on both sides count as agreeing: differences cannot resolve them.
    Untruncated BPTT is checked, for a truncated gradient is no gradient of the loss. Give the model
    float64 parameters; the parameters are left as they were. Raises ConfigError if h is not over 0.
    """
    if not h > 0:
        raise ConfigError(f"h must be over 0, got {h}")
    gradients = model.gradients(words, targets)
    worst = GradientCheck(0.0, "", (), 0.0, 0.0, 0)
    checked = 0
    for name, array in model.parameters.items():
        for index in np.ndindex(array.shape):
            original = array[index]
            array[index] = original + h
            above = model.loss_sum(words, targets)
            array[index] = original - h
            below = model.loss_sum(words, targets)
            array[index] = original
            estimated = (above - below) / (2 * h)
            found = float(gradients[name][index])
            checked += 1
            size = abs(found) + abs(estimated)
            error = abs(found - estimated) / size if size > negligible else 0.0
            if error > worst.relative_error or not worst.parameter:
                worst = GradientCheck(error, name, tuple(map(int, index)), found, estimated, 0)
    return GradientCheck(
        worst.relative_error, worst.parameter, worst.index, worst.backpropagated, worst.estimated, checked
    )
