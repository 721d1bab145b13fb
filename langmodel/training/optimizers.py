"""Optimizers, each one entry in a table; imports torch only to make one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.optimizer import ParamsT

BETAS = (0.9, 0.99)
"""Of AdamW."""


def _sgd(parameters: "ParamsT", weight_decay: float) -> "Optimizer":
    from torch.optim import SGD

    return SGD(parameters, lr=0.0, weight_decay=weight_decay, fused=True)


def _adamw(parameters: "ParamsT", weight_decay: float) -> "Optimizer":
    from torch.optim import AdamW

    return AdamW(parameters, lr=0.0, betas=BETAS, weight_decay=weight_decay, fused=True)


@dataclass(frozen=True)
class OptimizerKind:
    """What makes an optimizer, and the names of the tensors that it keeps, each of its parameter's size.

    Beside them it may keep `step`, a number.
    """

    make: "Callable[[ParamsT, float], Optimizer]"
    moments: tuple[str, ...]


OPTIMIZERS = {"sgd": OptimizerKind(_sgd, ()), "adamw": OptimizerKind(_adamw, ("exp_avg", "exp_avg_sq"))}
