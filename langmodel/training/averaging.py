"""Averages of the weights, judged and kept in place of the weights themselves; each is one table entry."""

import copy
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from langmodel.network.recurrent_lm import RecurrentLM

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


class AveragedNetwork:
    """A network and the average of the weights it has had."""

    def __init__(self, network: RecurrentLM, kind: str, total_steps: int) -> None:
        self.rule = AVERAGES[kind](total_steps)
        self._live = network
        self._average: RecurrentLM | None = None

    @property
    def judged(self) -> RecurrentLM:
        """The average, once it has begun; until then the network itself."""
        return self._live if self._average is None else self._average

    @torch.no_grad()
    def take_in(self, step: int) -> None:
        """Called after every step with its number, from 0."""
        share = self.rule.share(step)
        if not share:
            return
        if self._average is None:
            self._average = self._copy()
        else:
            torch._foreach_lerp_(list(self._average.parameters()), list(self._live.parameters()), share)
        self.rule.count += 1

    def _copy(self) -> RecurrentLM:
        return copy.deepcopy(self._live).requires_grad_(False)

    def tensors(self) -> dict[str, Tensor]:
        return {} if self._average is None else dict(self._average.state_dict())

    def values(self) -> dict[str, Any]:
        return asdict(self.rule)

    def restore(self, values: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Raises LookupError, ValueError or RuntimeError for what `values` and `tensors` did not give."""
        count, losses = values["count"], values["losses"]
        if type(count) is not int or not all(type(loss) is float for loss in losses):
            raise ValueError("the average's count or losses are malformed")
        self.rule.count, self.rule.losses = count, losses
        if tensors:
            self._average = self._copy()
            self._average.load_state_dict(tensors)
