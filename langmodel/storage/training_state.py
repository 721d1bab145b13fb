"""What resuming needs beyond the model, in a form that a model file can carry."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class TrainingState:
    """Plain values (JSON) and tensors: progress, schedule, optimizer moments, carried hidden state."""

    values: dict[str, Any]
    tensors: dict[str, Tensor]
