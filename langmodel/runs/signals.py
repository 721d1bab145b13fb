"""Ctrl-C, SIGTERM and SIGHUP as a flag: training stops at the next step and saves."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

HANGUP = getattr(signal, "SIGHUP", None)
"""A terminal that goes away; Windows has none."""


class StopSignal:
    """While in force, the first signal asks to stop and a second one ends the process at once."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.number = 0
        self._quiet = quiet
        self._before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP, 0 if none came."""
        return 128 + self.number if self.number else 0

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.number = number
        if not self._quiet:
            with suppress(OSError):
                os.write(sys.stderr.fileno(), b"\nstopping after this step; press again to quit now\n")

    def __enter__(self) -> "StopSignal":
        if threading.current_thread() is not threading.main_thread():
            return self  # Python's signals belong to the main thread
        for number in (signal.SIGINT, signal.SIGTERM, HANGUP):
            # Under nohup, SIGHUP is ignored, and stays so.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


@contextmanager
def quitting_at_once() -> Iterator[None]:
    """A signal ends the process with its code and unwinds nothing: for imports, which swallow exceptions."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda received, _: os._exit(128 + received))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
