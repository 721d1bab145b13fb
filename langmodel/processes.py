"""Processes that share out work, with Ctrl-C left to their parent."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from langmodel.errors import WorkersLost

Work = TypeVar("Work")
Result = TypeVar("Result")

AHEAD = 2
"""So many pieces of work for each process wait or are done before their turn: memory stays flat."""


def shared_out(
    executor: Executor | None, work: Callable[[Work], Result], pieces: Iterable[Work]
) -> Iterator[Result]:
    """`work` of each piece, in order, through an executor, or here without one.

    An executor with workers elsewhere says by `ahead` how many pieces may wait.
    """
    if executor is None:
        yield from map(work, pieces)
    else:
        ahead: int = getattr(executor, "ahead", AHEAD * (os.cpu_count() or 1))
        yield from in_order(executor, ahead, work, pieces)


@contextmanager
def process_pool(
    workers: int, prepare: Callable[..., None] | None = None, *arguments: Any
) -> Iterator[Executor]:
    """A pool of fresh processes, which start at once; each calls `prepare(*arguments)` first."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=spawn, initializer=_begin, initargs=(prepare, arguments)
    ) as pool:
        for _ in range(workers):
            pool.submit(_nothing)
        yield pool


def _nothing() -> None: ...


def _begin(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal
    if prepare is not None:
        prepare(*arguments)


def in_order(
    pool: Executor, ahead: int, work: Callable[[Work], Result], pieces: Iterable[Work]
) -> Iterator[Result]:
    """`work` of each piece, in order; pieces are taken as results are asked for, `ahead` of them before.

    Raises WorkersLost if a process dies.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenExecutor:
        raise WorkersLost(
            "a worker process died, probably out of memory; lower --workers, or give shorter lines"
        ) from None
    finally:
        for future in waiting:
            future.cancel()
