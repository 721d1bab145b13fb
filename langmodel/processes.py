"""Processes that share out work, with Ctrl-C left to their parent."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from langmodel.errors import LangModelError

Work = TypeVar("Work")
Result = TypeVar("Result")

AHEAD = 2
"""So many pieces of work for each process wait or are done before their turn: memory stays flat."""


@contextmanager
def process_pool(
    workers: int, prepare: Callable[..., None] | None = None, *arguments: Any
) -> Iterator[Executor]:
    """A pool of fresh processes; each calls `prepare(*arguments)` first."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=spawn, initializer=_begin, initargs=(prepare, arguments)
    ) as pool:
        yield pool


def _begin(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal
    if prepare is not None:
        prepare(*arguments)


def in_order(
    pool: Executor, workers: int, work: Callable[[Work], Result], pieces: Iterable[Work]
) -> Iterator[Result]:
    """`work` of each piece, in order; pieces are taken as results are asked for, a few ahead.

    Raises LangModelError if a process dies.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenExecutor:
        raise LangModelError(
            "a worker process died, probably out of memory; lower --workers, or give shorter lines"
        ) from None
    finally:
        for future in waiting:
            future.cancel()
