"""The progress bar: on stderr, on a terminal or in a notebook only."""

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")

COLUMNS, ROWS = 100, 25
"""The size of a terminal that does not tell its own; tqdm by itself then shows nothing at all."""

FLEETING_DELAY = 2
"""Seconds before a fleeting bar is shown."""


def progress_bar(
    description: str,
    total: int | None = None,
    initial: int = 0,
    unit: str = "words",
    *,
    fleeting: bool = False,
) -> Any:
    """A tqdm bar that counts `unit`, with the rate and, where `total` is known, the time left.

    A fleeting one shows only while what takes some seconds goes on.
    """
    if "ipykernel" in sys.modules:
        from tqdm.auto import tqdm as notebook_bar

        return notebook_bar(
            desc=description,
            total=total,
            initial=initial,
            unit=f" {unit}",
            unit_scale=True,
            leave=not fleeting,
        )
    try:
        knows_its_width = os.get_terminal_size(sys.stderr.fileno()).columns > 0
    except (OSError, ValueError):  # no terminal, or no file at all
        knows_its_width = False
    return tqdm(
        desc=description,
        total=total,
        initial=initial,
        unit=f" {unit}",
        unit_scale=True,
        disable=not sys.stderr.isatty(),
        delay=FLEETING_DELAY if fleeting else 0,
        leave=not fleeting,
        dynamic_ncols=knows_its_width,
        ncols=None if knows_its_width else COLUMNS,
        nrows=None if knows_its_width else ROWS,
    )


def counted(
    things: Iterable[T], description: str, *, unit: str = "lines", total: int | None = None, answered: bool
) -> Iterator[T]:
    """The things, counted by a fleeting bar; without one where each is `answered` on the same terminal."""
    if answered and sys.stdout.isatty():
        yield from things
        return
    with progress_bar(description, total, unit=unit, fleeting=True) as bar:
        for thing in things:
            yield thing
            bar.update()
