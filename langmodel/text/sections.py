"""Ranges of bytes of a text file, cut where a paragraph begins: together they are the file."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from langmodel.errors import CorpusError
from langmodel.text.decoding import BLOCK_BYTES, Before
from langmodel.text.paragraphs import Layout

BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")

SEARCH_BYTES = 2**16


@dataclass(frozen=True)
class Section:
    """The bytes from the beginning of one paragraph to that of another."""

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
    """Its bytes, and what stands before them in the file."""
    try:
        with path.open("rb") as stream:
            yield (
                SectionStream(stream, section.start, section.stop),
                Before(section.start, lambda: _lines_before(path, section.start)),
            )
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from None


def sections(path: Path, size: int, step: int, layout: Layout) -> Iterator[Section]:
    """A file of so many bytes, cut about every `step` of them where a paragraph begins."""
    start = 0
    with path.open("rb") as stream:
        while start < size:
            stop = min(size, _paragraph_start(stream, start + step, layout)) if start + step < size else size
            yield Section(start, stop, layout)
            start = stop


def _paragraph_start(stream: BinaryIO, offset: int, layout: Layout) -> int:
    """The first byte from `offset` on that follows a line, or a blank line; or the file's end."""
    if layout is Layout.LINES:
        stream.seek(offset - 1)
        while (line := stream.readline(SEARCH_BYTES)) and not line.endswith(b"\n"):
            pass
        return stream.tell()
    at = offset - 1
    stream.seek(at)
    kept = b""
    while block := stream.read(SEARCH_BYTES):
        window = kept + block
        if found := BLANK_LINE.search(window):
            return at + found.end()
        newline = window.rfind(b"\n")
        may_go_on = newline >= len(window) - SEARCH_BYTES and not window[newline:].strip()
        kept = window[newline:] if newline >= 0 and may_go_on else b""
        at += len(window) - len(kept)
    return stream.tell()


def _lines_before(path: Path, stop: int) -> int:
    lines = 0
    with path.open("rb") as stream:
        while stop > 0 and (block := stream.read(min(BLOCK_BYTES, stop))):
            lines += block.count(b"\n")
            stop -= len(block)
    return lines
