"""Sources -> pieces of about a megabyte, each of which any process can turn into ids by itself.

A piece holds parts of documents: ranges of files, which are read where the piece is encoded, or passages
that had to be read here: standard input, tables, archives. How a text is cut into pieces changes no id.
"""

import hashlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Protocol

from langmodel.errors import CorpusError
from langmodel.text.decoding import UTF_8, decoded_lines
from langmodel.text.sections import Section, open_section
from langmodel.text.sentences import WRAP_SAMPLE_LINES, Layout, layout_of, paragraphs, passages, texts_of
from langmodel.text.sources import OPENERS, Reading, open_file, unread_documents
from langmodel.text.tables import Document
from langmodel.text.watching import TextWatch

PIECE_CHARACTERS = 2**19
"""Of a piece, or bytes; a file that is longer is cut."""

MOST_SECTIONS = 1_024
"""A huge file is cut into longer ones."""

ENOUGH_COMPRESSED = 4
"""So many compressed files are read at the same time, each by one process; fewer are read here."""


class Part(Protocol):
    """Some of a document."""

    @property
    def document(self) -> int:
        """Which, counted from 0."""
        ...

    def passages(self, reading: Reading, sentences: str) -> Iterator[str]: ...

    def identify(self) -> str:
        """What it is, so that its ids can be found again."""
        ...


@dataclass(frozen=True)
class ReadPart:
    """Passages that have been read."""

    document: int
    texts: tuple[str, ...]

    def passages(self, reading: Reading, sentences: str) -> Iterator[str]:
        return iter(self.texts)

    def identify(self) -> str:
        hashed = hashlib.sha256()
        for text in self.texts:
            hashed.update(text.encode(errors="surrogatepass") + b"\n")
        return hashed.hexdigest()


@dataclass(frozen=True)
class FilePart:
    """A file, or a section of it."""

    document: int
    name: str
    """As it was given, for messages."""
    path: Path
    """Absolute: another process may be elsewhere."""
    size: int
    changed: int
    """When the file was last changed, in nanoseconds."""
    section: Section | None = None

    def passages(self, reading: Reading, sentences: str) -> Iterator[str]:
        """Raises CorpusError for a file that cannot be read, or is not the one that was cut."""
        try:
            found = self.path.stat().st_size
        except OSError as error:
            reason = error.strerror or error
            raise CorpusError(f"{self.name}: cannot be read on {socket.gethostname()} ({reason})") from None
        if found != self.size:
            raise CorpusError(
                f"{self.name}: {found:,} bytes on {socket.gethostname()}, expected {self.size:,}; "
                "do not change a text while it is read"
            )
        if self.section is None:
            with open_file(self.path) as stream:
                lines = decoded_lines(stream, self.name, encoding=reading.encoding, squeezed=reading.squeezed)
                yield from passages(lines, sentences)
        else:
            with open_section(self.path, self.section) as (part, before):
                lines = decoded_lines(part, self.name, squeezed=reading.squeezed, before=before)
                yield from texts_of(paragraphs(lines, self.section.layout))

    def identify(self) -> str:
        return f"{self.path} {self.size} {self.changed} {self.section}"


@dataclass(frozen=True)
class Piece:
    """A unit of work."""

    parts: tuple[Part, ...]
    split: str | None
    """The one that all of it belongs to; None: not dealt out yet."""

    def passages(self, reading: Reading, sentences: str) -> Iterator[tuple[int, str]]:
        """Each with the number of its document."""
        for part in self.parts:
            for text in part.passages(reading, sentences):
                yield part.document, text

    def identify(self) -> str:
        return "\n".join(f"{part.document} {part.identify()}" for part in self.parts)


class Cutter:
    """Cuts sources into pieces, in their order; `watch` sees the beginning of the text.

    `is_visible` says of a file whether those who encode pieces can read it.
    """

    def __init__(
        self,
        reading: Reading,
        sentences: str,
        watch: TextWatch,
        is_visible: Callable[[Path], bool] = lambda path: True,
    ) -> None:
        self._reading, self._sentences, self._watch = reading, sentences, watch
        self._is_visible = is_visible
        self._numbers = count()

    def pieces(self, sources: Sequence[str], split: str | None = None) -> Iterator[Piece]:
        """Raises CorpusError for what cannot be read."""
        parts: list[Part] = []
        size = 0
        for part, weight in self._parts(sources):
            parts.append(part)
            size += weight
            if size >= PIECE_CHARACTERS:
                yield Piece(tuple(parts), split)
                parts, size = [], 0
        if parts:
            yield Piece(tuple(parts), split)

    def _parts(self, sources: Sequence[str]) -> Iterator[tuple[Part, int]]:
        """With what each weighs."""
        many_files = len(sources) >= ENOUGH_COMPRESSED or any(Path(source).is_dir() for source in sources)
        for source in sources:
            for found in unread_documents(source, self._reading):
                if isinstance(found, Document):
                    yield from self._of_document(found)
                elif self._is_read_here(found, many_files):
                    with open_file(found) as stream:
                        lines = decoded_lines(
                            stream,
                            str(found),
                            encoding=self._reading.encoding,
                            squeezed=self._reading.squeezed,
                        )
                        yield from self._of_document(Document(str(found), lines))
                else:
                    yield from self._of_file(found)

    def _is_read_here(self, path: Path, many_files: bool) -> bool:
        is_compressed = path.suffix.lower() in OPENERS
        return (is_compressed and not many_files) or not self._is_visible(path)

    def _of_document(self, document: Document) -> Iterator[tuple[Part, int]]:
        number = next(self._numbers)
        texts: list[str] = []
        size = 0
        for text in passages(self._watch.seen(document.lines), self._sentences):
            texts.append(text)
            size += len(text)
            if size >= PIECE_CHARACTERS:
                yield ReadPart(number, tuple(texts)), size
                texts, size = [], 0
        if texts:
            yield ReadPart(number, tuple(texts)), size

    def _of_file(self, path: Path) -> Iterator[tuple[Part, int]]:
        try:
            known = path.stat()
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({error.strerror})") from None
        size = known.st_size
        is_long = size > PIECE_CHARACTERS and path.suffix.lower() not in OPENERS
        beginning = self._beginning(path, WRAP_SAMPLE_LINES if is_long else 0)
        layout = layout_of(beginning, self._sentences) if is_long else Layout.WRAPPED
        number, here = next(self._numbers), path.absolute()
        if is_long and self._reading.encoding == UTF_8 and layout is not Layout.WRAPPED:
            step = max(PIECE_CHARACTERS, -(-size // MOST_SECTIONS))
            for start in range(0, size, step):
                section = Section(start, min(start + step, size), layout)
                yield FilePart(number, str(path), here, size, known.st_mtime_ns, section), step
        else:
            yield FilePart(number, str(path), here, size, known.st_mtime_ns), max(1, size)

    def _beginning(self, path: Path, least: int) -> list[str]:
        """The first lines of a file, which the watch sees too; none where nobody asks for them."""
        lines = max(least, self._watch.lines_to_see)
        if not lines:
            return []
        with open_file(path) as stream:
            read = decoded_lines(
                stream, str(path), encoding=self._reading.encoding, squeezed=self._reading.squeezed
            )
            seen = list(islice(self._watch.seen(read), lines))
        return seen[:WRAP_SAMPLE_LINES]
