"""Advice where a training's threads are kept waiting: by other programs, or by a limit of the machine."""

import time
from collections.abc import Callable

import torch

WINDOW_SECONDS = 10.0

LEAST_SHARE = 0.7
"""Of the threads' time. Alone they have over 0.85: a thread that waits for the others spins."""


class ThreadWatch:
    """Says once if threads that wait for each other run only part of the time, which can cost far more.

    With one program beside it on two cores, a training with two threads has been seen to take sixteen to
    sixty times as long, where one thread alone took two and a half times. Nothing is said of a GPU, nor of
    several processes, which wait for each other anyway.
    """

    def __init__(self, device: torch.device, say: Callable[[str], None], processes: int = 1) -> None:
        self._threads = torch.get_num_threads() if device.type == "cpu" and processes == 1 else 1
        self._say = say
        self._is_over = self._threads < 2
        self.restart()

    def restart(self) -> None:
        """Forget what was seen: the program did something else than training steps."""
        self._begun, self._ran = time.monotonic(), time.process_time()

    def on_step(self) -> None:
        if self._is_over or (seconds := time.monotonic() - self._begun) < WINDOW_SECONDS:
            return
        running = (time.process_time() - self._ran) / seconds
        if running < LEAST_SHARE * self._threads:
            self._is_over = True
            share, fewer = running / self._threads, max(1, int(running))
            self._say(
                f"note: {self._threads} threads ran {share:.0%} of the time; is another program busy? They "
                f"wait for each other, so --threads {fewer} may be several times faster"
            )
        self.restart()
