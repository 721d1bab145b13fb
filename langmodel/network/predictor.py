"""What scoring and sampling need: something that reads ids and predicts the next."""

# T = time, B = batch, R = what is left to be read at each step

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from langmodel.network.cells import State
from langmodel.network.output_layer import Readout


class Predictor(Protocol):
    """A network, or a network with n-grams beside it."""

    @property
    def device(self) -> torch.device: ...

    @property
    def output_layer(self) -> Readout:
        """Makes probabilities of what is left to be read."""
        ...

    @property
    def __call__(self) -> Any:
        """Ids of shape (T, B) and a state -> what is left to be read at every step, shape (T, B, R), and the
        state after the last.
        """
        ...

    def zero_state(self, batch_size: int) -> State:
        """The state before the first word of a text."""
        ...

    def unread(self) -> Tensor:
        """What is left to be read where nothing has been, not even START: shape (1, R)."""
        ...

    def read(self, ids: Sequence[int]) -> tuple[Tensor, State]:
        """What is left to be read after START and `ids`, shape (1, R), and the state there."""
        ...
