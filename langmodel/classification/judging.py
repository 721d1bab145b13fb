"""How good predictions are: accuracy, F1, confusion, calibration, each with a 95 % interval."""

# N = texts, C = classes

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from langmodel.intervals import Interval, wilson_interval

RESAMPLINGS = 1_000
CALIBRATION_BINS = 10


def f1_scores(confusion_CC: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """2 · right / (predicted + labelled) of each class, shape (…, C); 0 where there is neither."""
    right = np.diagonal(confusion_CC, axis1=-2, axis2=-1).astype(np.float64)
    both = confusion_CC.sum(-1) + confusion_CC.sum(-2)
    return np.asarray(np.divide(2 * right, both, out=np.zeros_like(right), where=both > 0))


def calibration_error(confidence_N: npt.NDArray[Any], is_right_N: npt.NDArray[Any]) -> float:
    """Mean distance of confidence and accuracy over ten bins of equal width (Guo et al. 2017)."""
    bins_N = np.minimum((confidence_N * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins_N, confidence_N - is_right_N, CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence_N))


@dataclass(frozen=True)
class Judgement:
    """What a classifier reached on labelled texts."""

    labels: tuple[str, ...]
    confusion: list[list[int]]
    """Rows: as labelled; columns: as predicted."""
    accuracy: float
    accuracy_interval: Interval
    f1: dict[str, float]
    f1_intervals: dict[str, Interval]
    macro_f1: float
    macro_f1_interval: Interval
    calibration_error: float
    calibration_interval: Interval
    log_loss: float
    """Mean -log of the label's probability, in nats."""

    @property
    def texts(self) -> int:
        return sum(map(sum, self.confusion))

    def to_dict(self) -> dict[str, Any]:
        return {"texts": self.texts, **{name: getattr(self, name) for name in self.__dataclass_fields__}}


def judge(
    probabilities_NC: npt.NDArray[Any], labels_N: npt.NDArray[Any], names: tuple[str, ...]
) -> Judgement:
    """The interval of the accuracy is Wilson's; the others come from 1,000 resamplings, always the same."""
    N, C = probabilities_NC.shape
    if not N:
        raise ValueError("no texts to judge by")
    predicted_N = probabilities_NC.argmax(1)
    is_right_N = predicted_N == labels_N
    confidence_N = probabilities_NC.max(1)
    confusion = np.bincount(labels_N * C + predicted_N, minlength=C * C).reshape(C, C)
    f1 = f1_scores(confusion)
    chance = np.random.default_rng(0)
    resampled = chance.multinomial(N, confusion.ravel() / N, RESAMPLINGS).reshape(-1, C, C)
    f1_resampled = f1_scores(resampled)
    errors = [
        calibration_error(confidence_N[rows], is_right_N[rows])
        for rows in (chance.integers(0, N, N) for _ in range(RESAMPLINGS))
    ]
    of_label = np.clip(probabilities_NC[np.arange(N), labels_N].astype(np.float64), 1e-300, None)
    return Judgement(
        labels=names,
        confusion=confusion.tolist(),
        accuracy=float(is_right_N.mean()),
        accuracy_interval=wilson_interval(int(is_right_N.sum()), N),
        f1=dict(zip(names, f1.tolist(), strict=True)),
        f1_intervals={name: _middle(f1_resampled[:, c]) for c, name in enumerate(names)},
        macro_f1=float(f1.mean()),
        macro_f1_interval=_middle(f1_resampled.mean(1)),
        calibration_error=calibration_error(confidence_N, is_right_N),
        calibration_interval=_middle(np.array(errors)),
        log_loss=float(-np.log(of_label).mean()),
    )


def _middle(values: npt.NDArray[Any]) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975]).tolist()
    return low, high
