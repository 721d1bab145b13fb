"""What every adaptation is."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from langmodel.network.windows import IdArray

Floats = npt.NDArray[np.float64]


class Adaptation(Protocol):
    """Settings that were found, and predictions with them."""

    @property
    def settings(self) -> dict[str, float]: ...

    def log_probs(self, ids: IdArray) -> Floats:
        """Natural-log probability of every token of a stream, in its order."""
        ...


def joined(parts: Iterable[Tensor]) -> Floats:
    return torch.cat([part.detach().double().cpu() for part in parts]).numpy()
