"""What a classifier reached, as text."""

from langmodel.classification.judging import Judgement
from langmodel.intervals import Interval

SHOWN_CLASSES = 20
"""A confusion matrix of more is no table for a terminal; --json has it."""


def judgement_text(found: Judgement) -> str:
    lines = [
        _row("accuracy", found.accuracy, found.accuracy_interval),
        _row("macro F1", found.macro_f1, found.macro_f1_interval),
        _row("calibration error", found.calibration_error, found.calibration_interval),
        f"{'log loss':<20} {found.log_loss:.3f} nats",
        f"{'texts':<20} {found.texts:,}",
        "",
        f"{'class':<20} F1      95 % interval      texts",
    ]
    for number, label in enumerate(found.labels):
        low, high = found.f1_intervals[label]
        lines.append(
            f"{_short(label):<20} {found.f1[label]:5.1%}   {low:5.1%} to {high:5.1%}   "
            f"{sum(found.confusion[number]):>8,}"
        )
    if len(found.labels) <= SHOWN_CLASSES:
        lines += ["", "rows as labelled, columns as classified", *_confusion(found)]
    return "\n".join(lines)


def _row(name: str, value: float, interval: Interval) -> str:
    low, high = interval
    return f"{name:<20} {value:.1%}, 95 % interval {low:.1%} to {high:.1%}"


def _short(label: str) -> str:
    return label if len(label) <= 20 else f"{label[:19]}…"


def _confusion(found: Judgement) -> list[str]:
    width = max(6, *(len(_short(label)) for label in found.labels)) + 1
    head = " " * 20 + "".join(f"{_short(label):>{width}}" for label in found.labels)
    rows = [
        f"{_short(label):<20}" + "".join(f"{count:>{width},}" for count in row)
        for label, row in zip(found.labels, found.confusion, strict=True)
    ]
    return [head, *rows]
