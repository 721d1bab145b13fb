"""The averaged weights, judged and kept in place of the weights themselves."""

import copy
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.training.averages import AVERAGES


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
