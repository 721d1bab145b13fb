"""Bytes -> lines of text: encodings, byte-order marks, what ends a line."""

import codecs
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NoReturn, Protocol

from langmodel.errors import ConfigError, CorpusError
from langmodel.text.encodings import likely_encodings

MAX_LINE_BYTES = 64 * 2**20
"""A line longer than this is refused: it would have to fit in memory many times over."""

BLOCK_BYTES = 2**20

LINE_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85]")
"""What ends a line of prose beside LF, as Unicode has it."""

ROW_BREAKS = re.compile("\r\n")
"""The same where lines are counted, as other programs count them: the rest stands inside a line."""

BLANK_RUNS = re.compile("\n{3,}")

UTF_8 = "utf-8"

DAMAGE = (EOFError, lzma.LZMAError, OSError, zlib.error, tarfile.TarError, zipfile.BadZipFile)
"""What the readers of compressed files and archives raise in the middle of one."""

FOREIGN_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


def checked_encoding(name: str) -> str:
    """Python's own name of an encoding of text. Raises ConfigError for one that it does not know."""
    try:
        codec = codecs.lookup(name)
        "a".encode(codec.name)  # LookupError for what is known, but no encoding of text
    except (LookupError, ValueError, UnicodeError):
        raise ConfigError(
            f"unknown encoding {name!r}; utf-8, cp1252, latin-1, utf-16, gb18030 and shift_jis are some"
        ) from None
    return codec.name


@dataclass(frozen=True)
class Before:
    """What stands in front of a part of a file, for messages that name a place."""

    bytes: int = 0
    lines: Callable[[], int] = lambda: 0
    """Counted only when something is wrong."""


class ByteStream(Protocol):
    """What is read of an opened file."""

    def read(self, size: int, /) -> bytes: ...

    def readline(self, size: int, /) -> bytes: ...


def decoded_lines(
    stream: ByteStream,
    where: str,
    breaks: re.Pattern[str] = LINE_BREAKS,
    encoding: str = UTF_8,
    *,
    squeezed: bool = False,
    before: Before = Before(),
) -> Iterator[str]:
    """Lines without their ends; LF and all of `breaks` end a line. `squeezed`: of blank lines in a row, one
    stands for all, for readers that do not count them. A stream of UTF-8 may begin in the middle of a file.

    Raises CorpusError for other encodings and NUL bytes, naming byte offset and line.
    """
    blocks = (
        _utf8_blocks(stream, where, before) if encoding == UTF_8 else _foreign_blocks(stream, where, encoding)
    )
    for text in blocks:
        whole = breaks.sub("\n", text)
        if squeezed and "\n\n\n" in whole:
            whole = BLANK_RUNS.sub("\n\n", whole)
        yield from whole.removesuffix("\n").split("\n")


def _utf8_blocks(stream: ByteStream, where: str, before: Before) -> Iterator[str]:
    offset, line = before.bytes, 1
    for block in _blocks(stream, where, before.bytes):
        if offset == 0:
            for mark, encoding in FOREIGN_MARKS.items():
                if block.startswith(mark):
                    raise CorpusError(f"{where}: {encoding} text; add --encoding {encoding.lower()}")
            if block.startswith(b"\xef\xbb\xbf"):
                block, offset = block[3:], 3
        if b"\0" in block:
            _refuse_nul(block, where, offset, line + before.lines())
        try:
            text = block.decode()
        except UnicodeDecodeError as error:
            bad_line = before.lines() + line + block.count(b"\n", 0, error.start)
            raise CorpusError(
                f"{where}: not UTF-8 at byte {offset + error.start}, line {bad_line}; {_advice(block)}"
            ) from None
        offset += len(block)
        line += block.count(b"\n")
        yield text


def _advice(block: bytes) -> str:
    likely = likely_encodings(block)
    if not likely:
        return "convert it to UTF-8, or name its encoding with --encoding"
    return f"it looks like {' or '.join(likely)}: add --encoding {likely[0]}"


def _foreign_blocks(stream: ByteStream, where: str, encoding: str) -> Iterator[str]:
    """Whole lines, decoded piece by piece: a character may lie across two blocks."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, line, rest = 0, 1, ""
    is_last = False
    while not is_last:
        block = _read(stream, where)
        is_last = not block
        try:
            text = decoder.decode(block, final=is_last)
        except UnicodeError as error:
            good = error.object[: error.start] if isinstance(error, UnicodeDecodeError) else b""
            line += good.decode(encoding, errors="ignore").count("\n")
            place = f"near byte {offset + len(good)}, line {line}"
            raise CorpusError(f"{where}: not {encoding} {place}; give another --encoding") from None
        if offset == 0:
            text = text.removeprefix("\ufeff")
        if "\0" in text:
            raise CorpusError(f"{where}: a NUL character near byte {offset}; give another --encoding")
        offset += len(block)
        whole, newline, rest = (rest + text).rpartition("\n")
        if len(rest) > MAX_LINE_BYTES:
            raise CorpusError(_too_long(where, offset - len(rest)))
        if newline:
            line += whole.count("\n") + 1
            yield whole + newline
    if rest:
        yield rest


def _read(stream: ByteStream, where: str) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except DAMAGE as error:
        raise CorpusError(f"{where}: cannot be read ({error})") from None


def _too_long(where: str, start: int) -> str:
    return f"{where}: the line at byte {start} is longer than {MAX_LINE_BYTES >> 20} MiB; break it into lines"


def _blocks(stream: ByteStream, where: str, offset: int) -> Iterator[bytes]:
    """Whole lines, about BLOCK_BYTES of them at a time."""
    while block := _read(stream, where):
        if not block.endswith(b"\n"):
            try:
                rest = stream.readline(MAX_LINE_BYTES)
            except DAMAGE as error:
                raise CorpusError(f"{where}: cannot be read ({error})") from None
            if len(rest) == MAX_LINE_BYTES:
                raise CorpusError(_too_long(where, offset + block.rfind(b"\n") + 1))
            block += rest
        yield block
        offset += len(block)


def _refuse_nul(block: bytes, where: str, offset: int, line: int) -> NoReturn:
    at = block.index(b"\0")
    line += block.count(b"\n", 0, at)
    raise CorpusError(
        f"{where}: a NUL byte at byte {offset + at}, line {line}; this is UTF-16 or not text: "
        "add --encoding utf-16, or remove the NUL bytes"
    )
