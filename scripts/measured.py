"""What the scripts that measure share: how much to measure, and what a command of langmodel takes."""

import os
import subprocess
import sys
import time
from pathlib import Path


def measured(*arguments: str | Path, output: Path | None = None) -> tuple[float, float]:
    """Seconds, and megabytes of its largest process. Exits with what went wrong if it fails."""
    command = [sys.executable, "-m", "langmodel", *map(str, arguments)]
    with Path(output or os.devnull).open("wb") as out:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE)
        assert process.stderr is not None
        told = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed\n{told.decode(errors='replace')}")
    return time.perf_counter() - start, usage.ru_maxrss / 1e3


def whole_numbers(text: str) -> list[int]:
    """Of "1e5,2e6"."""
    return [int(float(part)) for part in text.split(",")]
