"""Which document or line is held out."""

import random


class HeldOut:
    """Deals units out to train, valid and test, one after the other, without knowing how many will come.

    Of every 1 / (valid + test) units one is held out, at a random place; the held-out ones alternate
    between valid and test in the ratio of the two fractions. So every part of the corpus is
    represented, the shares are exact to one unit, and the order inside a split is the text's.
    """

    def __init__(self, valid_fraction: float, test_fraction: float, *, seed: int) -> None:
        self._fraction = valid_fraction + test_fraction
        self._valid_share = valid_fraction / self._fraction if self._fraction else 0.0
        self._random = random.Random(seed)  # noqa: S311  (nothing secret is drawn)
        self._seen = 0
        self._strata = 0
        self._chosen = -1

    def next_split(self) -> str:
        """The split of the next unit: `train`, `valid` or `test`."""
        if not self._fraction:
            return "train"
        unit = self._seen
        self._seen += 1
        stratum = int(unit * self._fraction)
        if unit == 0 or stratum >= self._strata:
            self._strata = stratum + 1
            first = max(unit, 1)  # the first unit always trains
            after = max(first + 1, round((stratum + 1) / self._fraction))
            self._chosen = self._random.randrange(first, after)
        if unit != self._chosen:
            return "train"
        is_valid = int((stratum + 1) * self._valid_share + 0.5) > int(stratum * self._valid_share + 0.5)
        return "valid" if is_valid else "test"
