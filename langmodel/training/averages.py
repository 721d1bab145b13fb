"""Which steps an average of the weights takes in; each average is one entry in a table. Imports no torch."""

from dataclasses import dataclass, field

EMA_DECAY = 0.999

EMA_WARM_UP = 10
"""A young average forgets faster: its decay is at most (1 + n) / (EMA_WARM_UP + n) after n steps."""

TAIL_SHARE = 0.3
"""Part of the steps, at the end, that a tail average takes in."""

NON_MONOTONE = 5
"""NT-ASGD begins to average when the loss is above the best of those at least this many evaluations ago."""


@dataclass
class Average:
    """No average: the weights are judged as they are. The fields are all that resuming needs."""

    total_steps: int
    count: int = 0
    """Steps taken in."""
    losses: list[float] = field(default_factory=list)
    """Of the evaluations so far, nats per token."""

    def share(self, step: int) -> float:
        """What part of the average the weights after this step, counted from 0, become; 0: none yet."""
        return 0.0

    def evaluated(self, loss: float) -> None:
        """Told the validation loss, in nats per token, after every evaluation."""


class Exponential(Average):
    """The older the weights, the less they count (Polyak 1990; Tarvainen and Valpola 2017)."""

    def share(self, step: int) -> float:
        return 1 - min(EMA_DECAY, (1 + self.count) / (EMA_WARM_UP + self.count))


class Tail(Average):
    """The mean over the last steps of the run."""

    def share(self, step: int) -> float:
        return 1 / (self.count + 1) if step >= (1 - TAIL_SHARE) * self.total_steps else 0.0


class NonMonotone(Average):
    """The mean over all steps since the loss ceased to fall: with SGD, NT-ASGD (Merity et al. 2018)."""

    def share(self, step: int) -> float:
        return 1 / (self.count + 1) if self.count or self._ceased_to_fall() else 0.0

    def _ceased_to_fall(self) -> bool:
        older = self.losses[:-NON_MONOTONE]
        return bool(older) and self.losses[-1] > min(older)

    def evaluated(self, loss: float) -> None:
        self.losses.append(loss)


AVERAGES: dict[str, type[Average]] = {
    "none": Average,
    "ema": Exponential,
    "tail": Tail,
    "nt-asgd": NonMonotone,
}
