"""Encoded pieces -> the split of every passage, and how many documents each split has."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from langmodel.text.corpus_files import SPLITS
from langmodel.text.encoding import Encoded
from langmodel.text.splitting import BLOCK_CHARACTERS, HeldOut

CODE = {name: code for code, name in enumerate(SPLITS)}
"""How the split of a passage is written."""

NOT_DEALT = 255


@dataclass(frozen=True)
class DealtPiece:
    """An encoded piece, and the CODE of each of its passages' split."""

    files: Path
    codes: npt.NDArray[np.uint8]


@dataclass
class _Open:
    """A piece of which not every passage has its split yet."""

    encoded: Encoded
    codes: npt.NDArray[np.uint8]
    left: int
    ends: list[int]
    """How many characters the first n passages have."""


@dataclass
class Unit:
    """What is held out whole: a passage, or a document. One longer than a block is read as it is used."""

    characters: int
    places: list[tuple[_Open, slice]]
    rest: "Iterator[_Run] | None" = None

    @property
    def is_endless(self) -> bool:
        return self.rest is not None

    def walk(self) -> Iterator[tuple[_Open, slice]]:
        yield from self.places
        for run in self.rest or ():
            self.characters += run.characters
            yield run.piece, run.passages


@dataclass(frozen=True)
class _Run:
    """Passages of one piece that belong to the same document."""

    piece: _Open
    document: int
    passages: slice

    @property
    def characters(self) -> int:
        first, last = int(self.passages.start), int(self.passages.stop)
        return self.piece.ends[last] - self.piece.ends[first]


@dataclass
class Dealer:
    """Deals out the passages of the pieces whose split is not given.

    `documents` counts a document in every split that has some of it.
    """

    held_out: HeldOut[Unit]
    by_document: bool
    documents: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SPLITS, 0))

    def __post_init__(self) -> None:
        self._waiting: deque[_Open] = deque()
        self._latest = dict.fromkeys(SPLITS, -1)

    def deal(self, pieces: Iterable[Encoded]) -> Iterator[DealtPiece]:
        """In order; a few pieces are held until the last of their passages has its split."""
        for split, group in groupby(pieces, lambda piece: piece.split):
            yield from (self._held_out(group) if split is None else self._all_of(split, group))  # noqa: B031

    def _held_out(self, pieces: Iterable[Encoded]) -> Iterator[DealtPiece]:
        units = (self._whole_documents if self.by_document else self._passages)(pieces)
        for split, unit in self.held_out.deal(units):
            for piece, passages in unit.walk():
                piece.codes[passages] = CODE[split]
                piece.left -= passages.stop - passages.start
            while self._waiting and not self._waiting[0].left:
                yield self._finished(self._waiting.popleft())
        while self._waiting:  # pieces without a passage, at the end
            yield self._finished(self._waiting.popleft())

    def _all_of(self, split: str, pieces: Iterable[Encoded]) -> Iterator[DealtPiece]:
        for encoded in pieces:
            piece = self._opened(encoded)
            piece.codes[:] = CODE[split]
            yield self._finished(piece)

    def _opened(self, encoded: Encoded) -> _Open:
        passages = len(encoded.characters)
        ends: list[int] = [0, *np.cumsum(encoded.characters).tolist()]
        return _Open(encoded, np.full(passages, NOT_DEALT, np.uint8), passages, ends)

    def _finished(self, piece: _Open) -> DealtPiece:
        for split, code in CODE.items():
            documents = piece.encoded.documents[piece.codes == code]
            if len(documents):
                self.documents[split] += int(np.count_nonzero(np.diff(documents)))
                self.documents[split] += int(documents[0]) != self._latest[split]
                self._latest[split] = int(documents[-1])
        return DealtPiece(piece.encoded.files, piece.codes)

    def _taken(self, pieces: Iterable[Encoded]) -> Iterator[_Open]:
        for encoded in pieces:
            self._waiting.append(self._opened(encoded))
            yield self._waiting[-1]

    def _passages(self, pieces: Iterable[Encoded]) -> Iterator[Unit]:
        for piece in self._taken(pieces):
            for place, size in enumerate(piece.encoded.characters.tolist()):
                yield Unit(size, [(piece, slice(place, place + 1))])

    def _whole_documents(self, pieces: Iterable[Encoded]) -> Iterator[Unit]:
        runs = _Runs(self._taken(pieces))
        while (first := runs.peek()) is not None:
            unit = Unit(0, [])
            of_document = runs.of(first.document)
            for run in of_document:
                used, left = _cut(run, BLOCK_CHARACTERS - unit.characters)
                unit.places.append((used.piece, used.passages))
                unit.characters += used.characters
                if unit.characters >= BLOCK_CHARACTERS:
                    if left is not None:
                        runs.put_back(left)
                    unit.rest = of_document
                    break
            yield unit


class _Runs:
    """Runs of passages, one after another."""

    def __init__(self, pieces: Iterator[_Open]) -> None:
        self._source = (run for piece in pieces for run in _runs(piece))
        self._next: _Run | None = None

    def peek(self) -> _Run | None:
        if self._next is None:
            self._next = next(self._source, None)
        return self._next

    def of(self, document: int) -> Iterator[_Run]:
        """All that follow and belong to a document."""
        while (run := self.peek()) is not None and run.document == document:
            self._next = None
            yield run

    def put_back(self, run: _Run) -> None:
        self._next = run


def _runs(piece: _Open) -> Iterator[_Run]:
    documents = piece.encoded.documents
    if not len(documents):
        return
    starts = [0, *(np.flatnonzero(np.diff(documents)) + 1).tolist(), len(documents)]
    for start, stop in pairwise(starts):
        yield _Run(piece, int(documents[start]), slice(start, stop))


def _cut(run: _Run, characters: int) -> tuple[_Run, _Run | None]:
    """Its first passages, up to the one with which they have so many characters; and what is left."""
    if run.characters <= characters:
        return run, None
    ends, start, stop = run.piece.ends, run.passages.start, run.passages.stop
    middle = bisect_left(ends, ends[start] + characters, start + 1, stop)
    if middle == stop:
        return run, None
    return (
        _Run(run.piece, run.document, slice(start, middle)),
        _Run(run.piece, run.document, slice(middle, stop)),
    )
