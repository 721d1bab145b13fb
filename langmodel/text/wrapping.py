"""Whether lines are wrapped prose, in which a line is no sentence."""

from collections.abc import Iterable

ENOUGH_LINES = 40

MOST_LINES = 2_000

WRAPPED_SHARE = 0.4
"""The share of lines that run on into the next one, above which a text looks wrapped."""

FULL_SHARE = 0.7
"""A line that runs on is at least this long, beside the longest of those that do."""

SENTENCE_MARKS = frozenset(".?!…:;\"'”’»)]。！？।")


def look_wrapped(lines: Iterable[str]) -> bool:
    """Whether these lines are wrapped prose."""
    watch = WrapWatch()
    for line in lines:
        watch.look(line)
    return watch.looks_wrapped


class WrapWatch:
    """Told one line after another; judges by those that end in mid-sentence, and how full they are."""

    def __init__(self) -> None:
        self._judged_at = 0
        self._followed = 0
        self._lengths: list[int] = []
        self._before = ""

    def look(self, line: str) -> None:
        if self._followed >= MOST_LINES:
            return
        text = line.strip()
        if text and self._before:
            self._followed += 1
            if self._before[-1] not in SENTENCE_MARKS and (text[0].islower() or self._before[-1] == ","):
                self._lengths.append(len(self._before))
        self._before = text

    @property
    def looks_wrapped(self) -> bool:
        """Never by fewer than ENOUGH_LINES."""
        if self._followed < 1.1 * self._judged_at:
            return False  # nothing new to judge by
        self._judged_at = self._followed
        lengths = sorted(self._lengths)
        if self._followed < ENOUGH_LINES or len(lengths) < WRAPPED_SHARE * self._followed:
            return False
        longest = lengths[int(0.98 * (len(lengths) - 1))]
        full = sum(length >= FULL_SHARE * longest for length in lengths)
        return full >= FULL_SHARE * len(lengths)
