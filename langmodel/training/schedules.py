"""Learning-rate schedules, each one entry in a table; imports no torch."""

import math
from dataclasses import dataclass

WARM_UP_SHARE = 0.2
"""Part of a one-cycle run in which the rate still rises."""

ONE_CYCLE_START, ONE_CYCLE_END = 0.1, 0.01
"""Shares of the highest rate at which a one-cycle run starts and ends."""


@dataclass
class Schedule:
    """Learning rate as a share of the highest one; the fields are all that resuming needs."""

    total_steps: int
    factor: float = 1.0
    previous_loss: float = math.inf

    def share(self, step: int) -> float:
        """For the step with this number, counted from 0."""
        return 1.0

    def evaluated(self, loss: float) -> None:
        """Told the validation loss, in nats per token, after every evaluation."""


class Halve(Schedule):
    """The tutorial's rule: the rate is halved whenever the evaluated loss has risen."""

    def share(self, step: int) -> float:
        return self.factor

    def evaluated(self, loss: float) -> None:
        if loss > self.previous_loss:
            self.factor /= 2
        self.previous_loss = loss


class Plateau(Schedule):
    """The rate is divided by four whenever the evaluated loss is not the lowest so far."""

    def share(self, step: int) -> float:
        return self.factor

    def evaluated(self, loss: float) -> None:
        """`previous_loss` is the lowest here."""
        if loss >= self.previous_loss:
            self.factor /= 4
        self.previous_loss = min(loss, self.previous_loss)


class Cosine(Schedule):
    """Half a cosine from the highest rate to nothing (Loshchilov and Hutter 2017, without restarts)."""

    def share(self, step: int) -> float:
        return 0.5 * (1 + math.cos(math.pi * min(1.0, step / self.total_steps)))


class OneCycle(Schedule):
    """Up for a fifth of the steps, then down to almost nothing, on half cosines (Smith 2018)."""

    def share(self, step: int) -> float:
        peak = max(1.0, WARM_UP_SHARE * self.total_steps)
        if step < peak:
            low, position = ONE_CYCLE_START, 1 - step / peak
        else:
            low, position = ONE_CYCLE_END, min(1.0, (step - peak) / max(1.0, self.total_steps - peak))
        return low + (1 - low) * 0.5 * (1 + math.cos(math.pi * position))


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Schedule,
    "halve": Halve,
    "plateau": Plateau,
    "one-cycle": OneCycle,
    "cosine": Cosine,
}
