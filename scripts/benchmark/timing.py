"""A row of the table, and timing in pairs."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """`value` and `baseline` in `unit`; `ratio` says how many times better ours is."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float


def paired(
    ours: Callable[[], object], theirs: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """Median seconds of each, and the median of the ratios theirs / ours, taken in turn after a warm-up."""
    times: list[tuple[float, float]] = []
    for turn in range(rounds + 1):
        pair = []
        for run in (ours, theirs):
            start = time.perf_counter()
            run()
            pair.append(time.perf_counter() - start)
        if turn:
            times.append((pair[0], pair[1]))
    return (
        statistics.median(a for a, _ in times),
        statistics.median(b for _, b in times),
        statistics.median(b / a for a, b in times),
    )


def rate_row(name: str, unit: str, amount: float, times: tuple[float, float, float]) -> Row:
    ours, theirs, ratio = times
    return Row(name, amount / ours, unit, amount / theirs, ratio)
