"""Work off the event loop: a thread that does one job after another, with a bounded queue before it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from langmodel.errors import LangModelError

T = TypeVar("T")

MAX_SECONDS = 20.0
"""Of work on one job; those that wait are not counted."""


class Overloaded(LangModelError):
    """No more jobs may wait."""


class TooLong(LangModelError):
    """The job took more than MAX_SECONDS."""


class _Abandoned(BaseException):
    """Nobody waits for the job any more. No error: nothing in the job may catch it."""


class Job:
    """What a job looks at between its steps."""

    def __init__(self) -> None:
        self.is_abandoned = False
        self._deadline = float("inf")

    def begin(self) -> None:
        self._deadline = time.monotonic() + MAX_SECONDS

    def check(self) -> None:
        if self.is_abandoned:
            raise _Abandoned
        if time.monotonic() > self._deadline:
            raise TooLong(f"stopped after {MAX_SECONDS:g} seconds of work; ask for less")


class Lane:
    """One thread and its queue. Short work and long work have a lane each, so that neither waits for the
    other.
    """

    def __init__(self, name: str, most_waiting: int) -> None:
        self._most_waiting = most_waiting
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._unfinished = 0

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def results(self, work: Callable[[Callable[[], None]], Iterator[T]]) -> AsyncIterator[T]:
        """What `work` yields, as it comes; it is given a function to call between its steps.

        When the iterator is closed, the work stops at its next step. Raises Overloaded, TooLong, and what
        the work raises.
        """
        if self._unfinished > self._most_waiting:
            raise Overloaded("too many requests at once; try again in a second")
        loop, job = asyncio.get_running_loop(), Job()
        queue: asyncio.Queue[Any] = asyncio.Queue()
        end = object()

        def put(what: Any) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, what)

        def run() -> None:
            try:
                job.check()
                job.begin()
                for result in work(job.check):
                    put(result)
                    job.check()
                put(end)
            except _Abandoned:
                put(end)
            except Exception as error:
                put(error)

        self._unfinished += 1
        future = loop.run_in_executor(self._thread, run)
        future.add_done_callback(lambda _: self._finish())
        try:
            while (result := await queue.get()) is not end:
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            job.is_abandoned = True

    def _finish(self) -> None:
        self._unfinished -= 1
