"""Between what a trainer holds and a TrainingState; a state from elsewhere may hold anything.

Everything here raises LookupError, TypeError or ValueError for what does not fit.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from langmodel.errors import ConfigError
from langmodel.network.cells import State
from langmodel.network.windows import Windows
from langmodel.storage.training_state import TrainingState
from langmodel.training.progress import Progress

ADDED = ("cycle_step", "refit")
"""Fields that states of older versions lack."""


def named(saved: TrainingState, prefix: str) -> dict[str, Tensor]:
    """The tensors whose name begins so, named by the rest of it."""
    return {n.removeprefix(prefix): t for n, t in saved.tensors.items() if n.startswith(prefix)}


def plain_fields(record: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON has them: None for infinity."""
    return {name: None if value == math.inf else value for name, value in asdict(record).items()}


def restore_fields(record: Any, values: dict[str, Any]) -> None:
    """The inverse: whole numbers of at least 0, and floats."""
    for name, present in asdict(record).items():
        if name in ADDED and name not in values:
            continue
        value = values[name]
        if type(present) is int:
            if type(value) is not int or value < 0:
                raise ValueError(f"{name} is {value!r}")
        elif value is None:
            value = math.inf
        elif type(value) not in (int, float) or math.isnan(value):
            raise ValueError(f"{name} is {value!r}")
        setattr(record, name, value)


def restore_progress(
    progress: Progress, saved: TrainingState, epochs: float, total_steps: int, windows: Windows
) -> None:
    """Raises ConfigError for a place that a run of so many epochs does not have."""
    try:
        restore_fields(progress, saved.values["progress"])
        if progress.step > total_steps or progress.epoch > epochs:
            raise ValueError(f"step {progress.step} of epoch {progress.epoch} is past the end")
        if progress.window >= windows.count(progress.epoch):
            raise ValueError(f"window {progress.window} of epoch {progress.epoch} is past the end")
        if progress.cycle_step > progress.step:
            raise ValueError(f"a cycle that begins at step {progress.cycle_step}")
    except (LookupError, TypeError, ValueError) as error:
        raise ConfigError(f"the training state does not fit this model ({error!r})") from None


def carried_tensors(state: State) -> dict[str, Tensor]:
    return {
        f"carried.{layer}.{part}": tensor
        for layer, parts in enumerate(state)
        for part, tensor in enumerate(parts)
    }


def restore_carried(saved: TrainingState, zero: State, columns: int | None) -> State:
    """A state like `zero`, of as many rows as all its parts have: `columns`, unless that is None."""
    tensors = named(saved, "carried.")
    rows = len(tensors["0.0"]) if columns is None else columns
    for layer, parts in enumerate(zero):
        for part, like in enumerate(parts):
            _check(tensors[f"{layer}.{part}"], (rows, like.shape[1]), f"carried state {layer}.{part}")
    return tuple(
        tuple(tensors[f"{layer}.{part}"].to(like.device) for part, like in enumerate(parts))
        for layer, parts in enumerate(zero)
    )


def optimizer_tensors(optimizer: Optimizer, parameters: Sequence[Parameter]) -> dict[str, Tensor]:
    return {
        f"optimizer.{index}.{name}": value
        for index, parameter in enumerate(parameters)
        for name, value in optimizer.state[parameter].items()
    }


def restore_optimizer(
    saved: TrainingState, optimizer: Optimizer, parameters: Sequence[Parameter], moments: Sequence[str]
) -> None:
    """`moments` are the tensors that such an optimizer keeps of each parameter."""
    for name, tensor in named(saved, "optimizer.").items():
        index, _, moment = name.partition(".")
        if (moment != "step" and moment not in moments) or not index.isdecimal():
            raise ValueError(f"optimizer.{name} is unknown")
        parameter = parameters[int(index)]
        _check(tensor, () if moment == "step" else tuple(parameter.shape), f"optimizer.{name}")
        optimizer.state[parameter][moment] = tensor.to(parameter.device)


def _check(tensor: Tensor, shape: tuple[int, ...], name: str) -> None:
    if tuple(tensor.shape) != shape or tensor.dtype != torch.float32:
        raise ValueError(f"{name} is {tensor.dtype} {tuple(tensor.shape)}, expected float32 {shape}")
    if not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name} holds a value that is not finite")
