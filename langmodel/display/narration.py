"""What a long job tells while it goes on: lines and bars on standard error, results on standard output."""

import sys
from contextlib import suppress
from typing import Any

from langmodel.display.bars import progress_bar
from langmodel.text.printable import printable


class Narrator:
    """Says everything; a subclass may say less, or elsewhere."""

    def say(self, line: str) -> None:
        """On standard error; a job goes on when nobody listens any more."""
        from tqdm import tqdm

        with suppress(OSError):
            tqdm.write(printable(line), file=sys.stderr)

    def tell(self, text: str) -> None:
        """The outcome of work that is done and on disk; it is no failure that nobody reads it."""
        with suppress(BrokenPipeError):
            print(text, flush=True)  # noqa: T201

    def bar(self, description: str, total: int | None = None, initial: int = 0) -> Any:
        return progress_bar(description, total, initial)


class Silent(Narrator):
    """Says nothing."""

    def say(self, line: str) -> None: ...

    def tell(self, text: str) -> None: ...

    def bar(self, description: str, total: int | None = None, initial: int = 0) -> Any:
        from tqdm import tqdm

        return tqdm(disable=True)
