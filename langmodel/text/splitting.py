"""Which documents or passages are held out."""

import math
import random
from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar

BLOCK_UNITS, BLOCK_CHARACTERS = 4_096, 2_000_000
"""Units are dealt out a block at a time: the text is never held whole."""

ENOUGH_UNITS = 20
"""With fewer units, held-out shares cannot be near what was asked."""


MOST_SURPLUS = 0.1


class Sized(Protocol):
    """What can be held out whole."""

    @property
    def characters(self) -> int: ...

    @property
    def is_endless(self) -> bool:
        """Whether there is more of it than has been counted: such a unit trains."""
        ...


Unit = TypeVar("Unit", bound=Sized)


class HeldOut(Generic[Unit]):
    """Deals units out to train, valid and test so that each split's share of the characters is near its
    fraction.

    The units of a block are visited one from every stretch of it first, in a random order, and one is taken
    wherever that brings a split nearer to its share of all the text so far. So every part of the text is
    represented, and the order inside a split is the text's. The first unit always trains.
    """

    def __init__(self, valid_fraction: float, test_fraction: float, *, seed: int) -> None:
        self._fractions = {"valid": valid_fraction, "test": test_fraction}
        self._taken = dict.fromkeys(self._fractions, 0)
        self._random = random.Random(seed)  # noqa: S311  (nothing secret is drawn)
        self._characters = 0
        self.units = 0

    def deal(self, units: Iterable[Unit]) -> Iterator[tuple[str, Unit]]:
        """Every unit with its split, in order."""
        block: list[Unit] = []
        size = 0
        for unit in units:
            block.append(unit)
            size += unit.characters
            if len(block) == BLOCK_UNITS or size >= BLOCK_CHARACTERS or unit.is_endless:
                yield from self._dealt(block)
                block, size = [], 0
        yield from self._dealt(block)

    def _dealt(self, block: list[Unit]) -> Iterator[tuple[str, Unit]]:
        sizes = [unit.characters for unit in block]
        self._characters += sum(sizes)
        splits = ["train"] * len(block)
        first = 0 if self.units else 1
        self.units += len(block)
        for name, fraction in self._fractions.items():
            wanted = fraction * self._characters
            free = [n for n in range(first, len(block)) if splits[n] == "train" and not block[n].is_endless]
            order = self._order(free, fraction)
            # What overshoots by much is taken only if nothing else comes as near.
            for surplus in (MOST_SURPLUS * wanted, math.inf):
                for number in order:
                    missing = wanted - self._taken[name]
                    too_much = sizes[number] - missing
                    if splits[number] == "train" and too_much < min(abs(missing), surplus):
                        splits[number] = name
                        self._taken[name] += sizes[number]
        for split, unit, size in zip(splits, block, sizes, strict=True):
            yield split, unit
            self._characters += unit.characters - size  # the rest of an endless one

    def _order(self, free: list[int], fraction: float) -> list[int]:
        """One unit of every stretch of 1 / fraction units, then the others; nothing to take: none."""
        if not fraction:
            return []
        step = max(1, round(1 / fraction))
        stretches = [free[start : start + step] for start in range(0, len(free), step)]
        chosen = [self._random.choice(stretch) for stretch in stretches]
        self._random.shuffle(chosen)
        others = sorted(set(free) - set(chosen))
        self._random.shuffle(others)
        return chosen + others
