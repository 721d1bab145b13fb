"""Folders and archives of text files: every file a document, in the order of their paths."""

import logging
import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NoReturn, cast

from langmodel.errors import CorpusError

TEXT_SUFFIXES = frozenset(["", ".txt", ".text", ".md", ".rst", ".log", ".csv", ".tsv", ".jsonl"])
"""Files with another suffix in a folder or an archive are passed over, and reported."""

ZIPS, TARS = (".zip",), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

MAX_ARCHIVE_BYTES = 8 * 2**30
"""More than this inside an archive is refused: it may be made to fill a disk or an hour."""

BEGINNING_BYTES = 1024
"""A file with a NUL byte among its first is not text."""

_log = logging.getLogger(__name__)


def is_archive(path: Path) -> bool:
    return path.name.lower().endswith((*ZIPS, *TARS))


def text_files(folder: Path, compressed: tuple[str, ...]) -> list[Path]:
    """The text files under a folder, compressed ones too. Raises CorpusError if there is none."""
    files: list[Path] = []
    skipped: list[str] = []
    for base, folders, names in os.walk(folder, onerror=_refuse_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith("."):
                continue
            file = Path(base, name)
            plain = file.with_suffix("") if file.suffix.lower() in compressed else file
            if plain.suffix.lower() in TEXT_SUFFIXES and (plain != file or _begins_as_text(file)):
                files.append(file)
            else:
                skipped.append(str(file))
    _report(folder, len(files), skipped)
    return files


def _refuse_unreadable(error: OSError) -> NoReturn:
    raise CorpusError(f"{error.filename}: cannot be read ({error.strerror})") from None


def _begins_as_text(file: Path) -> bool:
    if file.suffix:
        return True  # reading it reports what is wrong with it
    try:
        with file.open("rb") as stream:
            return b"\0" not in stream.read(BEGINNING_BYTES)
    except OSError:
        return False


def _report(where: Path, taken: int, skipped: list[str]) -> None:
    shown = ", ".join(PurePosixPath(name).name for name in skipped[:3])
    if not taken:
        holds = f"it holds {len(skipped)} other files ({shown}, …)" if skipped else "it is empty"
        raise CorpusError(f"{where}: no text files in it (.txt, .md, .csv, .jsonl …); {holds}")
    if skipped:
        _log.warning("note: %s: skipped %d files that are not text (%s)", where, len(skipped), shown)


@contextmanager
def clear_archive_errors(path: Path) -> Iterator[None]:
    """Damage inside an archive is one line that names it."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CorpusError(f"{path}: not an archive that can be read ({reason})") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error})") from None


def archive_members(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """Every text file of a .zip or .tar with its name, opened for as long as it is the current one.

    Nothing is unpacked to disk. Raises CorpusError for a damaged archive, a name that leaves it, and more
    than MAX_ARCHIVE_BYTES inside.
    """
    with clear_archive_errors(path):
        if path.name.lower().endswith(ZIPS):
            yield from _zip_members(path)
        else:
            yield from _tar_members(path)


def _zip_members(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    with zipfile.ZipFile(path) as archive:
        members = sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda i: i.filename)
        _check_names(path, [info.filename for info in members])
        _check_size(path, sum(info.file_size for info in members))
        taken = [info for info in members if _is_text_name(info.filename)]
        _report(path, len(taken), [info.filename for info in members if not _is_text_name(info.filename)])
        for info in taken:
            with archive.open(info) as stream:
                if _streams_text(info.filename, stream):
                    yield info.filename, cast(BinaryIO, stream)


def _tar_members(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """In the archive's own order: a compressed one can only be walked."""
    total = taken = 0
    skipped: list[str] = []
    with tarfile.open(path, "r|*") as archive:
        for member in archive:
            _check_names(path, [member.name])
            total += member.size
            _check_size(path, total)
            if not member.isfile() or not _is_text_name(member.name):
                skipped += [member.name] if member.isfile() else []
                continue
            stream = archive.extractfile(member)
            assert stream is not None
            if _streams_text(member.name, stream):
                taken += 1
                yield member.name, cast(BinaryIO, stream)
    _report(path, taken, skipped)


def _is_text_name(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix.lower() in TEXT_SUFFIXES and not any(
        part.startswith((".", "__MACOSX")) for part in path.parts
    )


def _streams_text(name: str, stream: Any) -> bool:
    """As for a file: a name without a suffix says nothing of what is inside."""
    return bool(PurePosixPath(name).suffix) or b"\0" not in stream.peek(BEGINNING_BYTES)[:BEGINNING_BYTES]


def _check_names(path: Path, names: list[str]) -> None:
    for name in names:
        parts = PurePosixPath(name.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts:
            raise CorpusError(f"{path}: holds a path that leaves it ({name[:60]!r}); rebuild the archive")


def _check_size(path: Path, size: int) -> None:
    if size > MAX_ARCHIVE_BYTES:
        raise CorpusError(
            f"{path}: over {MAX_ARCHIVE_BYTES >> 30} GiB; if you trust it, unpack it and name the folder"
        )
