"""Numbers with which a run must not go on."""

import logging
import math
from collections.abc import Iterable

import torch
from torch import Tensor

from langmodel.errors import TrainingError
from langmodel.training.config import TrainingConfig
from langmodel.training.progress import Progress

_log = logging.getLogger(__name__)

DIVERGED = 10
"""An evaluated loss of more than this many times ln V ends the run."""


def remedy(config: TrainingConfig, rate: float | None = None) -> str:
    """What to lower; `rate` is that of the step, if it is not the highest of the run."""
    lower = f"lower --learning-rate (now {config.learning_rate if rate is None else rate:.3g})"
    return f"{lower} or --clip (now {config.clip:g})" if config.clip else f"{lower}, or set --clip"


def refuse_ruined_weights(parameters: Iterable[Tensor], step: int, config: TrainingConfig) -> None:
    """A step along finite gradients can still be too long; such weights are not to be saved.

    Raises TrainingError.
    """
    if not all(bool(torch.isfinite(parameter).all()) for parameter in parameters):
        raise TrainingError(f"step {step}: a weight is no longer a finite number; {remedy(config)}")


def refuse_divergence(loss: float, vocabulary_size: int, step: int, config: TrainingConfig) -> None:
    """Raises TrainingError for an evaluated loss, in nats per token, far above that of knowing nothing."""
    knowing_nothing = math.log(vocabulary_size)
    if not loss <= DIVERGED * knowing_nothing:
        raise TrainingError(
            f"step {step}: training has diverged: the evaluated loss is {loss:.3g} nats; that of an "
            f"untrained network is {knowing_nothing:.3g}; {remedy(config)}"
        )


def skip_or_stop(progress: Progress, config: TrainingConfig, what: str, rate: float) -> None:
    """Count a step whose loss or gradient was not finite: weights and state stay as they were before it.

    Raises TrainingError unless going on is allowed.
    """
    place = f"step {progress.step + 1}, epoch {progress.epoch + 1}: {what} is no longer a finite number"
    progress.step += 1
    progress.skipped_in_a_row += 1
    if config.on_nonfinite == "stop" or progress.skipped_in_a_row > config.skip_limit:
        skipped = progress.skipped_in_a_row - 1
        raise TrainingError(
            f"{place}{f', after {skipped} skipped in a row' if skipped else ''}; {remedy(config, rate)}"
        )
    _log.warning("%s; step skipped", place)
