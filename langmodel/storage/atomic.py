"""Files written whole or not at all, and the lock on a run directory."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from langmodel.errors import InputError, LangModelError

try:
    import fcntl
except ImportError:  # Windows: no advisory locks; two trainers in one directory are the user's care
    fcntl = None  # type: ignore[assignment]

NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A directory from elsewhere may hold links that lead out of it, or pipes that nobody reads."""

LOCK = ".lock"

TEMPORARY_PREFIX = ".writing-"

READ_BYTES = 2**20

TAKEN = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
"""What a lock says that another process holds; any other fault is of a file system without locks."""


def write_atomically(path: Path, data: bytes, *, keep_as: Path | None = None) -> None:
    """Replace `path` by `data` so that a crash at any moment leaves the old file or the new one.

    Temporary sibling, write, fsync, read back, rename, fsync of the directory. With `keep_as`, the old
    file stays under that name. Raises LangModelError with the system's reason, the old file untouched,
    when the disk is full or read-only.
    """
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
    kept = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-kept-{path.name}")
    try:
        try:
            _write(temporary, data)
            if not _holds(temporary, data):
                raise OSError("what was read back is not what was written")
            if keep_as is not None and path.exists():
                _copy_by_name(path, kept)
                os.replace(kept, keep_as)
                with suppress(FileNotFoundError):
                    os.unlink(kept)  # a rename onto another name of the same file leaves both (POSIX)
            os.replace(temporary, path)
        except BaseException:
            for left in (temporary, kept):
                with suppress(OSError):
                    os.unlink(left)
            raise
        _sync_directory(path.parent)
    except OSError as error:
        reason = error.strerror or error
        before = "what was there before is intact" if path.parent.is_dir() else "its directory is gone"
        raise LangModelError(f"{path}: cannot be written ({reason}); {before}") from None


def _copy_by_name(path: Path, copy: Path) -> None:
    """A second name for a file; a second file where the file system has no hard links."""
    try:
        os.link(path, copy)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS):
            raise
        _write(copy, path.read_bytes())


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINK, 0o644)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def _holds(path: Path, data: bytes) -> bool:
    handle = os.open(path, os.O_RDONLY)
    try:
        at = 0
        while piece := os.read(handle, READ_BYTES):
            if piece != data[at : at + len(piece)]:
                return False
            at += len(piece)
        return at == len(data)
    finally:
        os.close(handle)


def _sync_directory(directory: Path) -> None:
    if os.name == "posix":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _lock(handle: int) -> bool:
    """False if another process holds the lock."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno not in TAKEN
    return True


@dataclass(frozen=True)
class DirectoryLock:
    """The lock of a directory, while it is held."""

    directory: Path
    handle: int

    def verify(self) -> None:
        """Raises LangModelError unless the lock at the path is still the one that is held.

        A directory may be moved, or removed and made anew, while a run writes into it by its path.
        """
        held = os.fstat(self.handle)
        try:
            there = (self.directory / LOCK).lstat()
        except OSError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
            raise LangModelError(
                f"{self.directory}: moved or removed while this run was writing into it; nothing more is "
                "written. What was saved is where the directory went; go on from there with --resume"
            )


@contextmanager
def locked_directory(directory: Path) -> Iterator[DirectoryLock]:
    """Make `directory`, hold its lock, and sweep what a killed writer left behind.

    The lock dies with its process. Raises InputError, naming the other process, when it is taken, and
    when the directory cannot be made or written to. Where a file system has no locks, there is none.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | NO_LINK, 0o644)
    except OSError as error:
        raise InputError(f"{directory}: cannot be written ({error.strerror}); choose another") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(f"{directory / LOCK}: not a regular file; remove it, or choose another directory")
    try:
        if not _lock(handle):
            owner = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            raise InputError(f"{directory}: process {owner} is training here; wait for it, or choose another")
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        for stale in directory.glob(f"{TEMPORARY_PREFIX}*"):
            with suppress(OSError):
                stale.unlink()
        yield DirectoryLock(directory, handle)
    finally:
        os.close(handle)
