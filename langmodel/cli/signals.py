"""Ctrl-C and SIGTERM as a flag: training stops at the next step and saves."""

import os
import signal
import sys
from types import FrameType
from typing import Any


class StopSignal:
    """While in force, the first signal asks to stop and a second one ends the process at once."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.number = 0
        self._quiet = quiet
        self._before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int:
        """130 after SIGINT, 143 after SIGTERM, 0 if none came."""
        return 128 + self.number if self.number else 0

    def _receive(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.number = number
        if not self._quiet:
            os.write(sys.stderr.fileno(), b"\nstopping after this step; once more to quit at once\n")

    def __enter__(self) -> "StopSignal":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
