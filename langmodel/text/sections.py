"""Ranges of bytes of a text file, each moved to where a paragraph begins: together they are the file."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from langmodel.errors import CorpusError
from langmodel.text.decoding import BLOCK_BYTES, Before
from langmodel.text.sentences import Layout

BLANK_LINE = re.compile(rb"\n\r?\n")


@dataclass(frozen=True)
class Section:
    """What begins between two bytes of a file."""

    start: int
    stop: int
    layout: Layout
    """LINES or BLANK_LINES."""


class SectionStream:
    """An opened file from one byte to another."""

    def __init__(self, stream: BinaryIO, start: int, stop: int) -> None:
        stream.seek(start)
        self._stream, self._left = stream, stop - start

    def read(self, size: int, /) -> bytes:
        return self._counted(self._stream.read(min(size, self._left)))

    def readline(self, size: int, /) -> bytes:
        return self._counted(self._stream.readline(min(size, self._left)))

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        return data


@contextmanager
def open_section(path: Path, section: Section) -> Iterator[tuple[SectionStream, Before]]:
    """Its bytes from paragraph to paragraph, and what stands before them in the file."""
    try:
        with path.open("rb") as stream:
            start = paragraph_start(stream, section.start, section.layout)
            stop = paragraph_start(stream, section.stop, section.layout)
            yield SectionStream(stream, start, stop), Before(start, lambda: _lines_before(path, start))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from None


def paragraph_start(stream: BinaryIO, offset: int, layout: Layout) -> int:
    """The first byte at or after `offset` where a paragraph may begin.

    That is the file's own beginning, what follows a line or a blank line, or the file's end.
    """
    if offset == 0:
        return 0
    if layout is Layout.LINES:
        stream.seek(offset - 1)
        while (line := stream.readline(BLOCK_BYTES)) and not line.endswith(b"\n"):
            pass
        return stream.tell()
    at = max(0, offset - 3)
    stream.seek(at)
    kept = b""
    while block := stream.read(BLOCK_BYTES):
        window = kept + block
        for found in BLANK_LINE.finditer(window):
            if at + found.end() >= offset:
                return at + found.end()
        kept = window[-2:]
        at += len(window) - len(kept)
    return stream.tell()


def _lines_before(path: Path, stop: int) -> int:
    lines = 0
    with path.open("rb") as stream:
        while stop > 0 and (block := stream.read(min(BLOCK_BYTES, stop))):
            lines += block.count(b"\n")
            stop -= len(block)
    return lines
