"""Optimizers, each one entry in a table; imports torch only to make one."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer

BETAS = (0.9, 0.99)


def _sgd(parameters: "Iterable[Parameter]", weight_decay: float) -> "Optimizer":
    from torch.optim import SGD

    return SGD(parameters, lr=0.0, weight_decay=weight_decay, fused=True)


def _adamw(parameters: "Iterable[Parameter]", weight_decay: float) -> "Optimizer":
    from torch.optim import AdamW

    return AdamW(parameters, lr=0.0, betas=BETAS, weight_decay=weight_decay, fused=True)


@dataclass(frozen=True)
class OptimizerKind:
    """What makes an optimizer, and how many tensors it keeps for every parameter, each of its size."""

    make: "Callable[[Iterable[Parameter], float], Optimizer]"
    moments: int


OPTIMIZERS = {"sgd": OptimizerKind(_sgd, moments=0), "adamw": OptimizerKind(_adamw, moments=2)}
