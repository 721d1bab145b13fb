"""Files -> texts with labels: tables, JSON lines, marked lines, a folder or a file for each class."""

import csv
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from langmodel.errors import ConfigError, CorpusError
from langmodel.text.archives import is_archive
from langmodel.text.decoding import ROW_BREAKS, UTF_8
from langmodel.text.sources import OPENERS, SCHEMES, Reading, read_documents
from langmodel.text.tables import SNIFFED_LINES, csv_rows, json_object, named_columns, sniffed_delimiter

SEPARATOR = "+++$+++"
"""Between label and text, in files of one `label +++$+++ text` per line."""

MARK = "__label__"
"""Before the label, in files of one `__label__LABEL text` per line."""

HOW = (
    "give a table with the columns text and label (--column, --label-column), lines of "
    f"`label {SEPARATOR} text`, a folder with a subfolder per class, or LABEL=FILE for each class"
)


@dataclass(frozen=True)
class LabelledText:
    """A text, its label if that is known, and where it stands."""

    text: str
    label: str | None
    place: str


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What holds text and label, of a table or of JSON lines, and how the file is written."""

    text: str = "text"
    label: str = "label"
    encoding: str = UTF_8


def read_labelled(sources: Iterable[str], columns: Columns = Columns()) -> list[LabelledText]:
    """The texts of all sources, in order, each with a label. Raises CorpusError, naming the place."""
    found: list[LabelledText] = []
    for source in sources:
        before = len(found)
        for item in read_texts(source, columns):
            if item.label is None:
                raise CorpusError(f"{item.place}: no label; {HOW}")
            if not item.text.strip():
                raise CorpusError(f"{item.place}: the text is empty; remove it")
            found.append(item)
        if len(found) == before:
            raise CorpusError(f"{source}: no texts in it; {HOW}")
    return found


def read_texts(source: str, columns: Columns = Columns()) -> Iterator[LabelledText]:
    """The texts of a source, labelled or not."""
    label, equals, path = source.partition("=")
    if equals and not Path(source).exists():
        if not label or not Path(path).exists():
            raise CorpusError(f"{source}: no such file; {HOW}")
        yield from _of_one_class(path, label, columns)
    elif Path(source).is_dir() or is_archive(Path(source)):
        yield from _by_folder(source, columns)
    elif source.partition(":")[0] in SCHEMES and not Path(source).exists():
        raise CorpusError(f"{source}: labels of NLTK corpora are not read; export it, or {HOW}")
    else:
        yield from _of_a_file(source, columns)


def _of_one_class(path: str, label: str, columns: Columns) -> Iterator[LabelledText]:
    """Every line of a file, or every file of a folder."""
    whole = Path(path).is_dir() or is_archive(Path(path))
    for document in read_documents(path, Reading(encoding=columns.encoding), ROW_BREAKS, tables=whole):
        if whole:
            yield LabelledText("\n".join(document.lines), label, document.name)
        else:
            for number, line in enumerate(document.lines, start=1):
                yield LabelledText(line, label, f"{path} line {number}")


def _by_folder(source: str, columns: Columns) -> Iterator[LabelledText]:
    """Every file with text in it, labelled by its folder; a README has no class."""
    depth = len(Path(source).parts)
    for document in read_documents(source, Reading(encoding=columns.encoding), ROW_BREAKS):
        path = Path(document.name)
        if path.stem.lower() == "readme":
            continue
        if len(path.parts) - depth < 2:
            raise CorpusError(f"{path}: in no folder of a class; {HOW}")
        yield LabelledText("\n".join(document.lines), path.parent.name, document.name)


def _of_a_file(source: str, columns: Columns) -> Iterator[LabelledText]:
    for document in read_documents(source, Reading(encoding=columns.encoding), ROW_BREAKS, tables=False):
        lines = iter(document.lines)
        suffixes = [suffix for suffix in map(str.lower, Path(source).suffixes) if suffix not in OPENERS]
        suffix = suffixes[-1] if suffixes else ""
        if suffix in (".csv", ".tsv"):
            yield from _rows(lines, source, columns, "\t" if suffix == ".tsv" else None)
        elif suffix == ".jsonl":
            yield from _objects(lines, source, columns)
        else:
            for number, line in enumerate(lines, start=1):
                yield _marked(line, f"{source} line {number}")


def _marked(line: str, place: str) -> LabelledText:
    label, separator, text = line.partition(SEPARATOR)
    if separator:
        return LabelledText(text.strip(), _label(label, place), place)
    if line.startswith(MARK):
        label, _, text = line.removeprefix(MARK).partition(" ")
        return LabelledText(text, _label(label, place), place)
    return LabelledText(line, None, place)


def _label(label: str, place: str) -> str:
    if not label.strip():
        raise CorpusError(f"{place}: the label is empty")
    return label.strip()


def _rows(
    lines: Iterator[str], source: str, columns: Columns, delimiter: str | None
) -> Iterator[LabelledText]:
    first = list(islice(lines, SNIFFED_LINES))
    delimiter = delimiter or sniffed_delimiter(first, columns.text)
    rows = csv_rows(chain(first, lines), delimiter, quoted=delimiter != "\t")
    number = 1
    try:
        header = next(rows, None)
        if header is None:
            return
        if columns.text not in header:
            raise CorpusError(
                f"{source}: no column {columns.text!r}; choose --column from {named_columns(header)}"
            )
        text = header.index(columns.text)
        label = header.index(columns.label) if columns.label in header else None
        for row in rows:
            number += 1
            place = f"{source} row {number}"
            if row and len(row) <= max(text, label or 0):
                raise CorpusError(f"{place}: {len(row)} columns, the header has {len(header)}")
            if row:
                yield LabelledText(row[text], None if label is None else _label(row[label], place), place)
    except csv.Error as error:
        raise CorpusError(f"{source}: row {number + 1} is not valid CSV ({error})") from None


def _objects(lines: Iterator[str], source: str, columns: Columns) -> Iterator[LabelledText]:
    for number, line in enumerate(lines, start=1):
        place = f"{source} line {number}"
        if not line.strip():
            continue
        row = json_object(line, place)
        if not isinstance(row.get(columns.text), str):
            known = named_columns(row)
            raise CorpusError(f"{place} has no text field {columns.text!r}; its fields: {known}")
        label = row.get(columns.label)
        if not isinstance(label, str | int | None):
            raise CorpusError(f"{place}: label {columns.label!r} is neither text nor a whole number")
        yield LabelledText(row[columns.text], None if label is None else _label(str(label), place), place)


def class_names(texts: Iterable[LabelledText]) -> tuple[str, ...]:
    """The labels, sorted. Raises CorpusError for fewer than two, and for one that a single text has."""
    counts = Counter(text.label for text in texts if text.label is not None)
    if len(counts) < 2:
        only = f"every text is labelled {next(iter(counts))!r}" if counts else "no text has a label"
        raise CorpusError(f"a classifier needs at least two classes, but {only}; {HOW}")
    for label, count in counts.items():
        if count < 2:
            raise CorpusError(
                f"class {label!r} has a single text: one is needed to learn from and one to check with; "
                "add some, or remove the class"
            )
    return tuple(sorted(counts))


def stratified_parts(labels: Sequence[str | None], parts: int, seed: int) -> list[list[int]]:
    """Indices in `parts` parts of nearly equal size, each class shared out evenly; the same for a seed."""
    if not 2 <= parts <= len(labels):
        raise ConfigError(f"folds must be between 2 and the number of texts ({len(labels)}), got {parts}")
    chance = random.Random(seed)  # noqa: S311  (nothing secret is drawn)
    dealt: list[list[int]] = [[] for _ in range(parts)]
    at = 0
    for label in sorted(set(labels), key=str):
        indices = [index for index, each in enumerate(labels) if each == label]
        chance.shuffle(indices)
        for index in indices:
            dealt[at % parts].append(index)
            at += 1
    return [sorted(part) for part in dealt]


def held_out(labels: Sequence[str | None], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices that stay and indices that are held out: of each class a share, at least one and not all."""
    if not 0 < fraction < 1:
        raise ConfigError(f"fraction must be over 0 and under 1, got {fraction:g}")
    chance = random.Random(seed)  # noqa: S311
    out: set[int] = set()
    for label in sorted(set(labels), key=str):
        indices = [index for index, each in enumerate(labels) if each == label]
        chance.shuffle(indices)
        out.update(indices[: min(max(1, round(fraction * len(indices))), len(indices) - 1)])
    return [index for index in range(len(labels)) if index not in out], sorted(out)
