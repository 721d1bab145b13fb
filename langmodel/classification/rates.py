"""Learning rates of a classifier's training: by step, and by depth."""

import math

from langmodel.classification.config import ClassifierConfig
from langmodel.classification.progress import ClassifierProgress

WARM_UP_SHARE = 0.1
"""Part of the steps on labelled texts in which the rate rises; then it falls on half a cosine."""

ROUND_SHARE = 0.1
"""The rate of self-training, as a share of the highest one."""


def group_rates(
    config: ClassifierConfig, progress: ClassifierProgress, steps: int, done: int, groups: int
) -> list[float]:
    """For each group of parameters, from the top of the network down; 0 for those not thawed yet.

    `done` of all `steps` on labelled texts have been taken; the rate of self-training stays the same.
    """
    share = ROUND_SHARE if progress.round else _share(done, steps)
    return [
        0.0
        if not progress.round and progress.epoch < config.thaw and depth > progress.epoch
        else config.learning_rate * share * config.layer_decay**depth
        for depth in range(groups)
    ]


def _share(done: int, steps: int) -> float:
    """Of the peak rate."""
    return min(1.0, (done + 1) / (WARM_UP_SHARE * steps)) * 0.5 * (1 + math.cos(math.pi * (done / steps)))
