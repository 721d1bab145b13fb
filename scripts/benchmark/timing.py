"""A row of the table, and timing in pairs."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any


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


@contextmanager
def elsewhere(steps: Callable[..., Iterator[Any]], *arguments: Any) -> Iterator[Callable[[], Any]]:
    """What gives the next of `steps(*arguments)` in a process of its own, as that process would alone.

    Our settings of the memory allocator and of denormals must not help what we are compared with.
    """
    ours, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=_serve, args=(theirs, steps, arguments), daemon=True)
    process.start()
    theirs.close()

    def step() -> Any:
        ours.send(True)
        return ours.recv()

    try:
        yield step
    finally:
        ours.close()
        process.join()


def _serve(pipe: Connection, steps: Callable[..., Iterator[Any]], arguments: tuple[Any, ...]) -> None:
    taken = steps(*arguments)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        pipe.send(next(taken))
