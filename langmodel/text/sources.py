"""A source's name -> documents: files, folders, archives, NLTK corpora, standard input."""

import bz2
import gzip
import lzma
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from langmodel.errors import ConfigError, CorpusError, InputError
from langmodel.text.archives import archive_members, is_archive, text_files
from langmodel.text.cleaning import CLEANERS
from langmodel.text.decoding import LINE_BREAKS, ROW_BREAKS, UTF_8, checked_encoding, decoded_lines
from langmodel.text.python_documentation import documentation
from langmodel.text.tables import TABLES, Document, Place

STANDARD_INPUT = "standard input"

OPENERS: dict[str, Callable[[Path], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

MANY_FILES = 20
"""So many files given by name are a collection, like a folder of them."""


@dataclass(frozen=True, kw_only=True)
class Reading(Place):
    """How the files of a source are read."""

    encoding: str = UTF_8
    clean: str | None = None
    """A name in CLEANERS: what is removed."""
    squeezed: bool = False
    """Of blank lines in a row, one stands for all: a gigabyte of them is no text to wait for."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoding", checked_encoding(self.encoding))
        if self.clean is not None and self.clean not in CLEANERS:
            raise ConfigError(f"unknown clean {self.clean!r}; choose from {', '.join(CLEANERS)}")

    def cleaned(self, lines: Iterable[str]) -> Iterable[str]:
        return lines if self.clean is None else CLEANERS[self.clean](lines)


def read_documents(
    source: str, reading: Reading = Reading(), breaks: re.Pattern[str] = LINE_BREAKS, *, tables: bool = True
) -> Iterator[Document]:
    """The documents of one source, read as they are asked for; without `tables`, every file is plain text.

    Raises CorpusError, naming the place and the remedy, for what cannot be read.
    """
    scheme, colon, rest = source.partition(":")
    if colon and scheme in SCHEMES and not Path(source).exists():
        documents = SCHEMES[scheme](rest)
    elif source == "-" and sys.stdin is None:
        raise InputError("standard input is closed; name a file")
    elif source == "-":
        lines = decoded_lines(
            sys.stdin.buffer, STANDARD_INPUT, breaks, reading.encoding, squeezed=reading.squeezed
        )
        documents = iter([Document(STANDARD_INPUT, lines)])
    else:
        documents = _read_path(Path(source), reading, breaks, tables)
    for document in documents:
        yield Document(document.name, reading.cleaned(document.lines))


def unread_documents(source: str, reading: Reading) -> Iterator[Document | Path]:
    """As `read_documents`, but a file of plain text, perhaps compressed, comes as its path, unopened."""
    path = Path(source)
    is_named = source == "-" or (source.partition(":")[0] in SCHEMES and not path.exists())
    if is_named or reading.clean is not None or not (path.is_file() or path.is_dir()) or is_archive(path):
        yield from read_documents(source, reading)
        return
    for file in text_files(path, tuple(OPENERS)) if path.is_dir() else [path]:
        if _table_suffix(file) is None:
            yield file
        else:
            yield from read_documents(str(file), reading)


def open_file(path: Path) -> BinaryIO:
    """Opened to be read, and decompressed as its name says. Raises CorpusError where that cannot be."""
    try:
        return cast(BinaryIO, OPENERS.get(path.suffix.lower(), Path.open)(path, "rb"))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from None


def splits_by_document(sources: Iterable[str]) -> bool:
    """Whether sources are many documents, so that a held-out split takes whole ones."""
    named = list(sources)
    return len(named) >= MANY_FILES or any(map(_is_collection, named))


def _is_collection(source: str) -> bool:
    scheme, colon, _ = source.partition(":")
    path = Path(source)
    if path.is_dir() or is_archive(path):
        return True
    return bool(colon and scheme in SCHEMES) or _table_suffix(path) is not None


def read_lines(source: str, reading: Reading = Reading()) -> Iterator[str]:
    """The lines of a source, blank ones too."""
    for document in read_documents(source, reading):
        yield from document.lines


def read_rows(source: str) -> Iterator[str]:
    """Lines as `paste` and `wc` count them, of a file of any kind: only LF and CRLF end one."""
    for document in read_documents(source, breaks=ROW_BREAKS, tables=False):
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


def _read_path(path: Path, reading: Reading, breaks: re.Pattern[str], tables: bool) -> Iterator[Document]:
    if not path.exists():
        named = ", ".join(f"{scheme}:NAME" for scheme in SCHEMES)
        raise CorpusError(f"{path}: no such file; give a file's path, or - for standard input (or {named})")
    if path.is_dir() and not tables:
        raise CorpusError(f"{path}: a directory; name a file in it")
    if path.is_dir():
        for file in text_files(path, tuple(OPENERS)):
            yield from _read_file(file, reading, breaks, tables)
    elif is_archive(path):
        for name, stream in archive_members(path):
            yield from _read_stream(stream, Path(path, name), reading, breaks, tables)
    else:
        yield from _read_file(path, reading, breaks, tables)


def _read_file(path: Path, reading: Reading, breaks: re.Pattern[str], tables: bool) -> Iterator[Document]:
    with open_file(path) as stream:
        yield from _read_stream(stream, path, reading, breaks, tables)


def _read_stream(
    stream: BinaryIO, path: Path, reading: Reading, breaks: re.Pattern[str], tables: bool
) -> Iterator[Document]:
    table = _table_suffix(path)
    if table is None or not tables:
        lines = decoded_lines(stream, str(path), breaks, reading.encoding, squeezed=reading.squeezed)
        yield Document(str(path), lines)
    else:
        lines = decoded_lines(stream, str(path), ROW_BREAKS, reading.encoding)
        yield from TABLES[table](lines, path, reading)


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
