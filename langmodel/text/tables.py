"""Tables -> documents: a cell of a .csv or .tsv, a field of a .jsonl, each row a document."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from langmodel.errors import CorpusError
from langmodel.text.decoding import LINE_BREAKS, MAX_LINE_BYTES, decoded_lines

SNIFFED_LINES = 20

DELIMITERS = ",;\t|"

MAX_ROW_CHARACTERS = 4 * 2**20
"""JSON may take thirty times a row's size in memory before anything is known of it."""

SHOWN_COLUMNS = 20
"""Of a table with more, so many are named in a message."""


@dataclass(frozen=True)
class Document:
    """A named run of lines; `lines` can be walked once."""

    name: str
    lines: Iterable[str]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a table has its text."""

    column: str | None = None
    """Of a .csv or .tsv; None: `text`, or the only one."""
    field: str | None = None
    """Of a .jsonl; None: `text`."""


def csv_rows(lines: Iterable[str], delimiter: str, *, quoted: bool = True) -> Any:
    """A `csv.reader` of lines that have lost their ends; a quoted cell may hold some.

    It raises csv.Error for what is no CSV, an open quote above all.
    """
    csv.field_size_limit(MAX_LINE_BYTES)
    whole_lines = (f"{line}\n" for line in lines)
    if quoted:
        return csv.reader(whole_lines, delimiter=delimiter, strict=True)
    return csv.reader(whole_lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def sniffed_delimiter(lines: list[str], column: str | None) -> str:
    """What separates the columns of a .csv: a comma, unless its first lines speak for another."""
    if not lines:
        return ","
    try:
        for delimiter in DELIMITERS:
            head = next(csv_rows([lines[0]], delimiter, quoted=False))
            if (column or "text") in [name.strip('"') for name in head] and len(head) > 1:
                return delimiter
        return csv.Sniffer().sniff("\n".join(lines), DELIMITERS).delimiter
    except csv.Error:
        return ","


def _read_csv(lines: Iterator[str], path: Path, place: Place) -> Iterator[Document]:
    first = list(islice(lines, SNIFFED_LINES))
    delimiter = sniffed_delimiter(first, place.column)
    yield from _read_delimited(chain(first, lines), path, place, delimiter, quoted=delimiter != "\t")


def _read_tsv(lines: Iterator[str], path: Path, place: Place) -> Iterator[Document]:
    # A tab-separated cell is what stands between the tabs: quotes are text.
    yield from _read_delimited(lines, path, place, "\t", quoted=False)


def _read_delimited(
    lines: Iterator[str], path: Path, place: Place, delimiter: str, *, quoted: bool
) -> Iterator[Document]:
    rows = csv_rows(lines, delimiter, quoted=quoted)
    number = 1
    try:
        header = next(rows, None)
        if header is None:
            return
        index = _column_index(header, place.column, path)
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


def named_columns(names: Iterable[str]) -> str:
    """For a message: the names, but not hundreds of them."""
    known = list(names)
    shown = ", ".join(name[:40] for name in known[:SHOWN_COLUMNS])
    return shown if len(known) <= SHOWN_COLUMNS else f"{shown} and {len(known) - SHOWN_COLUMNS:,} more"


def _column_index(header: list[str], column: str | None, path: Path) -> int:
    if column is None and len(header) == 1:
        return 0
    name = "text" if column is None else column
    if name not in header:
        raise CorpusError(f"{path}: no column {name!r}; choose --column from {named_columns(header)}")
    return header.index(name)


def json_object(text: str, where: str, most: int = MAX_ROW_CHARACTERS) -> dict[str, Any]:
    """Raises CorpusError for what is no JSON object, or longer than `most` characters."""
    if len(text) > most:
        raise CorpusError(f"{where} has over {most >> 20} Mi characters of JSON; split it")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise CorpusError(f"{where} is not a JSON object")
    return value


def _read_jsonl(lines: Iterator[str], path: Path, place: Place) -> Iterator[Document]:
    name = "text" if place.field is None else place.field
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if len(line) > MAX_ROW_CHARACTERS:
            raise CorpusError(
                f"{path}: line {number} has over {MAX_ROW_CHARACTERS >> 20} Mi characters of JSON; split it"
            )
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CorpusError(f"{path}: line {number} is not JSON ({error})") from None
        if isinstance(row, dict) and name in row and not isinstance(row[name], str):
            raise CorpusError(f"{path}: line {number}: field {name!r} is not text but {row[name]!r:.40}")
        if not isinstance(row, dict) or name not in row:
            known = named_columns(row) if isinstance(row, dict) else "none: it is not an object"
            raise CorpusError(f"{path}: line {number} has no text field {name!r}; its fields: {known}")
        lines_of_row = row[name].encode(errors="surrogatepass")
        yield Document(
            f"{path} line {number}", decoded_lines(io.BytesIO(lines_of_row), f"{path} line {number}")
        )


TABLES: dict[str, Callable[[Iterator[str], Path, Place], Iterator[Document]]] = {
    ".csv": _read_csv,
    ".tsv": _read_tsv,
    ".jsonl": _read_jsonl,
}
"""How a file of rows is read, by its suffix."""
