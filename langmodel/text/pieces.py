"""Sources -> pieces of about a megabyte, each of which any process can turn into ids by itself.

A piece holds parts of documents: ranges of files, which are read where the piece is encoded, or passages
that had to be read here: standard input, tables, archives. How a text is cut into pieces changes no id.
"""

import hashlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from typing import BinaryIO, Protocol

from langmodel.errors import CorpusError
from langmodel.text.decoding import UTF_8, decoded_lines
from langmodel.text.paragraphs import WRAP_SAMPLE_LINES, Layout, layout_of, paragraphs, passages, texts_of
from langmodel.text.sections import Section, open_section, sections
from langmodel.text.sources import OPENERS, Reading, open_file, unread_documents
from langmodel.text.tables import Document
from langmodel.text.watching import TextWatch

PIECE_CHARACTERS = 2**19
"""Of a piece, or bytes; a file that is longer is cut."""

MOST_SECTIONS = 1_024
"""A huge file is cut into longer ones."""

LEAST_WEIGHT = 50
"""Of a passage or a file: what is to be known of it takes memory too."""

OF_THIS_PROCESS = (Path("/dev"), Path("/proc"))

ENOUGH_COMPRESSED = 4
"""So many compressed files are read at the same time, each by one process; fewer are read here."""


class Part(Protocol):
    """Some of a document, or of several."""

    def passages(self, reading: Reading, sentences: str) -> Iterator[tuple[int, str]]:
        """Each with the number of its document."""
        ...

    def identify(self) -> str:
        """What it is, so that its ids can be found again."""
        ...


@dataclass(frozen=True)
class ReadPart:
    """Passages that have been read, and the documents that they belong to."""

    documents: tuple[int, ...]
    texts: tuple[str, ...]

    def passages(self, reading: Reading, sentences: str) -> Iterator[tuple[int, str]]:
        return zip(self.documents, self.texts, strict=True)

    def identify(self) -> str:
        hashed = hashlib.sha256(repr(self.documents).encode())
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

    def passages(self, reading: Reading, sentences: str) -> Iterator[tuple[int, str]]:
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
                for text in passages(lines, sentences):
                    yield self.document, text
        else:
            with open_section(self.path, self.section) as (part, before):
                lines = decoded_lines(part, self.name, squeezed=reading.squeezed, before=before)
                for text in texts_of(paragraphs(lines, self.section.layout)):
                    yield self.document, text

    def identify(self) -> str:
        return f"{self.document} {self.path} {self.size} {self.changed} {self.section}"


@dataclass(frozen=True)
class Piece:
    """A unit of work."""

    number: int
    parts: tuple[Part, ...]
    split: str | None
    """The one that all of it belongs to; None: not dealt out yet."""

    def passages(self, reading: Reading, sentences: str) -> Iterator[tuple[int, str]]:
        """Each with the number of its document."""
        for part in self.parts:
            yield from part.passages(reading, sentences)

    def identify(self) -> str:
        """Equal texts at two places are two pieces."""
        return "\n".join([str(self.number), *(part.identify() for part in self.parts)])


@dataclass
class _Read:
    """Passages read so far, which wait until they are enough for a part."""

    documents: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    weight: int = 0

    def add(self, document: int, text: str) -> None:
        self.documents.append(document)
        self.texts.append(text)
        self.weight += max(len(text), LEAST_WEIGHT)

    def take(self) -> tuple[ReadPart, int]:
        part, weight = ReadPart(tuple(self.documents), tuple(self.texts)), self.weight
        self.documents, self.texts, self.weight = [], [], 0
        return part, weight


class Cutter:
    """Cuts sources into pieces, in their order; `watch` sees the beginning of what is dealt out.

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
        self._numbers, self._pieces = count(), count()

    def pieces(self, sources: Sequence[str], split: str | None = None) -> Iterator[Piece]:
        """Raises CorpusError for what cannot be read."""
        parts: list[Part] = []
        size = 0
        watch = self._watch if split is None else None
        for part, weight in self._parts(sources, watch):
            parts.append(part)
            size += weight
            if size >= PIECE_CHARACTERS:
                yield Piece(next(self._pieces), tuple(parts), split)
                parts, size = [], 0
        if parts:
            yield Piece(next(self._pieces), tuple(parts), split)

    def _parts(self, sources: Sequence[str], watch: TextWatch | None) -> Iterator[tuple[Part, int]]:
        """With what each weighs."""
        read = _Read()
        for document in self._documents(sources):
            number = next(self._numbers)
            if isinstance(document, Path):
                if read.texts:
                    yield read.take()
                yield from self._of_file(document, number, watch)
                continue
            lines = document.lines if watch is None else watch.seen(document.lines)
            for text in passages(lines, self._sentences):
                read.add(number, text)
                if read.weight >= PIECE_CHARACTERS:
                    yield read.take()
        if read.texts:
            yield read.take()

    def _documents(self, sources: Sequence[str]) -> Iterator[Document | Path]:
        """Those that are read here, and the paths of the files that are not."""
        many = len(sources) >= ENOUGH_COMPRESSED or any(Path(source).is_dir() for source in sources)
        for source in sources:
            for found in unread_documents(source, self._reading):
                if isinstance(found, Path) and self._is_read_here(found, many):
                    with open_file(found) as stream:
                        yield Document(str(found), self._lines(stream, found))
                else:
                    yield found

    def _lines(self, stream: BinaryIO, path: Path) -> Iterator[str]:
        reading = self._reading
        return decoded_lines(stream, str(path), encoding=reading.encoding, squeezed=reading.squeezed)

    def _is_read_here(self, path: Path, many_files: bool) -> bool:
        """What can be read once, or by this process alone, and long files that cannot be cut."""
        here = path.absolute()
        if not path.is_file() or any(map(here.is_relative_to, OF_THIS_PROCESS)) or not self._is_visible(path):
            return True
        if path.suffix.lower() in OPENERS:
            return not many_files
        if path.stat().st_size <= PIECE_CHARACTERS:
            return False
        return self._reading.encoding != UTF_8 or self._layout(path) is Layout.WRAPPED

    def _layout(self, path: Path) -> Layout:
        with open_file(path) as stream:
            return layout_of(list(islice(self._lines(stream, path), WRAP_SAMPLE_LINES)), self._sentences)

    def _of_file(self, path: Path, number: int, watch: TextWatch | None) -> Iterator[tuple[Part, int]]:
        try:
            known = path.stat()
            here, size = path.absolute(), known.st_size
            if watch is not None and watch.lines_to_see:
                with open_file(path) as stream:
                    for _ in islice(watch.seen(self._lines(stream, path)), watch.lines_to_see):
                        pass
            if path.suffix.lower() in OPENERS or size <= PIECE_CHARACTERS:
                yield FilePart(number, str(path), here, size, known.st_mtime_ns), max(LEAST_WEIGHT, size)
                return
            step = max(PIECE_CHARACTERS, -(-size // MOST_SECTIONS))
            for section in sections(path, size, step, self._layout(path)):
                part = FilePart(number, str(path), here, size, known.st_mtime_ns, section)
                yield part, section.stop - section.start
        except OSError as error:
            raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from None
