"""A source's name -> documents: files, archives, table columns, NLTK corpora, standard input."""

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from langmodel.errors import CorpusError, InputError
from langmodel.text.python_documentation import documentation

MAX_LINE_BYTES = 64 * 2**20
"""A line longer than this is refused: it would have to fit in memory many times over."""

BLOCK_BYTES = 2**20

STANDARD_INPUT = "standard input"

LINE_BREAKS = re.compile("\r\n?|[\u2028\u2029\x85]")
"""What ends a line of prose beside LF, as Unicode has it."""

ROW_BREAKS = re.compile("\r\n")
"""The same where lines are counted, as other programs count them: the rest stands inside a line."""

OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

FOREIGN_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}


@dataclass(frozen=True)
class Document:
    """A named run of lines; `lines` can be walked once."""

    name: str
    lines: Iterable[str]


@dataclass(frozen=True, kw_only=True)
class Field:
    """Which column of a .csv or .tsv, which field of a .jsonl holds the text."""

    column: str | None = None
    field: str | None = None


def read_documents(
    source: str, wanted: Field | None = Field(), breaks: re.Pattern[str] = LINE_BREAKS
) -> Iterator[Document]:
    """The documents of one source, read as they are asked for; with `wanted` None, no file is a table.

    Raises CorpusError, naming the place and the remedy, for what cannot be read.
    """
    scheme, colon, rest = source.partition(":")
    if colon and scheme in SCHEMES and not Path(source).exists():
        yield from SCHEMES[scheme](rest)
    elif source == "-" and sys.stdin is None:
        raise InputError("standard input is closed; name a file")
    elif source == "-":
        yield Document(STANDARD_INPUT, decoded_lines(sys.stdin.buffer, STANDARD_INPUT, breaks))
    else:
        yield from _read_file(Path(source), wanted, breaks)


def splits_by_document(source: str) -> bool:
    """Whether a source is made of many documents, so that a held-out split takes whole ones."""
    scheme, colon, _ = source.partition(":")
    return bool(colon and scheme in SCHEMES) or _table_suffix(Path(source)) is not None


def read_lines(source: str) -> Iterator[str]:
    """The lines of one plain file (compressed or not) or of standard input, blank ones too."""
    for document in read_documents(source):
        yield from document.lines


def read_rows(source: str) -> Iterator[str]:
    """Lines as `paste` and `wc` count them, of a file of any kind: only LF and CRLF end one."""
    for document in read_documents(source, None, ROW_BREAKS):
        yield from document.lines


def read_raw_lines(source: str) -> Iterator[str]:
    """The same, of what has to be a file, or standard input."""
    if source != "-" and not Path(source).exists():
        raise CorpusError(f"{source}: no such file; give its path, or - for standard input")
    yield from read_rows(source)


def input_name(source: str) -> str:
    """What messages call a source."""
    return STANDARD_INPUT if source == "-" else source


def _table_suffix(path: Path) -> str | None:
    suffixes = [suffix for suffix in map(str.lower, path.suffixes) if suffix not in OPENERS]
    return suffixes[-1] if suffixes and suffixes[-1] in TABLES else None


def _read_file(path: Path, wanted: Field | None, breaks: re.Pattern[str]) -> Iterator[Document]:
    if not path.exists():
        named = ", ".join(f"{scheme}:NAME" for scheme in SCHEMES)
        raise CorpusError(f"{path}: no such file; give a file's path, or - for standard input (or {named})")
    if path.is_dir():
        raise CorpusError(f"{path}: a directory, and not a corpus; name the files inside it")
    try:
        stream = OPENERS.get(path.suffix.lower(), Path.open)(path, "rb")
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from None
    with stream:
        table = _table_suffix(path)
        if table is None or wanted is None:
            yield Document(str(path), decoded_lines(stream, str(path), breaks))
        else:
            yield from TABLES[table](decoded_lines(stream, str(path), ROW_BREAKS), path, wanted)


def _blocks(stream: BinaryIO, where: str) -> Iterator[bytes]:
    """Whole lines, about BLOCK_BYTES of them at a time."""
    offset = 0
    try:
        while block := stream.read(BLOCK_BYTES):
            if not block.endswith(b"\n"):
                rest = stream.readline(MAX_LINE_BYTES)
                if len(rest) == MAX_LINE_BYTES:
                    start = offset + block.rfind(b"\n") + 1
                    raise CorpusError(
                        f"{where}: the line at byte {start} is longer than {MAX_LINE_BYTES >> 20} MiB; "
                        "break it into lines"
                    )
                block += rest
            yield block
            offset += len(block)
    except (EOFError, lzma.LZMAError, OSError, zlib.error) as error:
        raise CorpusError(f"{where}: cannot be read ({error})") from None


def decoded_lines(stream: BinaryIO, where: str, breaks: re.Pattern[str] = LINE_BREAKS) -> Iterator[str]:
    """UTF-8 lines without their ends; LF and all of `breaks` end a line.

    Raises CorpusError for other encodings and NUL bytes, naming byte offset and line.
    """
    offset, line = 0, 1
    for block in _blocks(stream, where):
        if offset == 0:
            for mark, encoding in FOREIGN_MARKS.items():
                if block.startswith(mark):
                    raise CorpusError(f"{where}: {encoding} text; convert it to UTF-8 first")
            if block.startswith(b"\xef\xbb\xbf"):
                block, offset = block[3:], 3
        _refuse_nul(block, where, offset, line)
        try:
            text = block.decode()
        except UnicodeDecodeError as error:
            bad_line = line + block.count(b"\n", 0, error.start)
            raise CorpusError(
                f"{where}: not UTF-8 at byte {offset + error.start}, line {bad_line}; convert it to UTF-8"
            ) from None
        offset += len(block)
        line += block.count(b"\n")
        yield from breaks.sub("\n", text).removesuffix("\n").split("\n")


def _refuse_nul(block: bytes, where: str, offset: int, line: int) -> None:
    at = block.find(b"\0")
    if at >= 0:
        line += block.count(b"\n", 0, at)
        raise CorpusError(
            f"{where}: a NUL byte at byte {offset + at}, line {line}; this is UTF-16 or not text: "
            "convert it to UTF-8, or remove the NUL bytes"
        )


def csv_rows(lines: Iterable[str], delimiter: str, *, quoted: bool = True) -> Any:
    """A `csv.reader` of lines that have lost their ends; a quoted cell may hold some.

    It raises csv.Error for what is no CSV, an open quote above all.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    whole_lines = (f"{line}\n" for line in lines)
    if quoted:
        return csv.reader(whole_lines, delimiter=delimiter, strict=True)
    return csv.reader(whole_lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def _read_delimited(delimiter: str) -> Callable[[Iterator[str], Path, Field], Iterator[Document]]:
    def read(lines: Iterator[str], path: Path, wanted: Field) -> Iterator[Document]:
        # A tab-separated cell is what stands between the tabs: quotes are text.
        rows = csv_rows(lines, delimiter, quoted=delimiter != "\t")
        number = 1
        try:
            header = next(rows, None)
            if header is None:
                return
            index = _column_index(header, wanted.column, path)
            for row in rows:
                number += 1
                if len(row) > index:
                    yield Document(f"{path} row {number}", LINE_BREAKS.sub("\n", row[index]).split("\n"))
                elif row:
                    raise CorpusError(
                        f"{path}: row {number} has {len(row)} columns, the text is in column {index + 1}"
                    )
        except csv.Error as error:
            reason = "its lines end in CR alone; convert them to LF" if "new-line" in str(error) else error
            raise CorpusError(f"{path}: row {number + 1} is not valid CSV ({reason})") from None

    return read


def _column_index(header: list[str], column: str | None, path: Path) -> int:
    if column is None and len(header) == 1:
        return 0
    name = "text" if column is None else column
    if name not in header:
        raise CorpusError(f"{path}: no column {name!r}; choose --column from {', '.join(header)}")
    return header.index(name)


def _read_jsonl(lines: Iterator[str], path: Path, wanted: Field) -> Iterator[Document]:
    name = "text" if wanted.field is None else wanted.field
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{path}: line {number} is not JSON ({error})") from None
        if isinstance(row, dict) and name in row and not isinstance(row[name], str):
            raise CorpusError(f"{path}: line {number}: field {name!r} is not text but {row[name]!r:.40}")
        if not isinstance(row, dict) or name not in row:
            known = ", ".join(row) if isinstance(row, dict) else "none: it is not an object"
            raise CorpusError(f"{path}: line {number} has no text field {name!r}; its fields: {known}")
        lines_of_row = row[name].encode(errors="surrogatepass")
        yield Document(
            f"{path} line {number}", decoded_lines(io.BytesIO(lines_of_row), f"{path} line {number}")
        )


TABLES: dict[str, Callable[[Iterator[str], Path, Field], Iterator[Document]]] = {
    ".csv": _read_delimited(","),
    ".tsv": _read_delimited("\t"),
    ".jsonl": _read_jsonl,
}


def _read_nltk(name: str) -> Iterator[Document]:
    import nltk.corpus

    reader = cast(Any, getattr(nltk.corpus, name, None))
    try:
        for file in reader.fileids():
            yield Document(f"nltk:{name}/{file}", (" ".join(words) for words in reader.sents(file)))
    except LookupError:
        raise CorpusError(
            f"nltk:{name}: not installed; run `python -m nltk.downloader {name} punkt_tab`"
        ) from None
    except AttributeError:
        raise CorpusError(f"nltk:{name}: NLTK has no such corpus of sentences; try nltk:brown") from None


def _read_pydoc(packages: str) -> Iterator[Document]:
    try:
        for name, lines in documentation([name for name in packages.split(",") if name]):
            yield Document(f"pydoc:{name}", lines)
    except ModuleNotFoundError as error:
        raise InputError(f"pydoc:{packages}: {error}; install it, or leave it out") from None


SCHEMES: dict[str, Callable[[str], Iterator[Document]]] = {"nltk": _read_nltk, "pydoc": _read_pydoc}
"""What a source of the form SCHEME:REST is read by."""
