"""A corpus directory that appears whole, in the place of an older one."""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from langmodel.errors import CorpusError, WorkersLost
from langmodel.text.corpus_files import FILES, is_corpus

try:
    import fcntl
except ImportError:  # Windows: no advisory locks; what a killed writer left stays
    fcntl = None  # type: ignore[assignment]

REPLACED = ".old"

YOUNG_SECONDS = 60.0

LONGEST_NAME = 220


PARTS = "parts"
"""Of a folder that is being written: pieces that are finished, which a later writer can go on from."""

STOPS = (KeyboardInterrupt, SystemExit, WorkersLost)
"""After these, finished pieces stay."""


@contextmanager
def appearing_whole(output: Path, *, resume: bool = False) -> Iterator[Path]:
    """A temporary sibling that takes `output`'s place when the block ends well, and vanishes otherwise.

    If it was stopped, its PARTS stay; with `resume`, they are those that a stopped writer left. Without,
    whatever stopped writers of the same corpus left is swept first. Raises CorpusError where there is
    something else at `output`, or nothing can be written.
    """
    try:
        output = output.resolve()
    except (OSError, RuntimeError):  # the one is Python 3.13's, the other what came before
        raise CorpusError(f"{output}: a link that leads nowhere; choose another directory") from None
    if output.parent.is_dir():
        with _alone(output.parent):
            _refuse_what_is_no_corpus(output)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_prefix(output), dir=output.parent))
    except OSError as error:
        raise CorpusError(f"{output}: cannot be written ({error.strerror})") from None
    has_taken = False
    try:
        with _claimed(folder):
            folder.chmod(0o755)
            with _alone(output.parent):
                has_taken = _take_parts(output, folder, resume)
                _restore(output)
                _sweep(output)
            yield folder
            shutil.rmtree(folder / PARTS)
            for file in folder.iterdir():
                _sync(file)
            _sync(folder)
            with _alone(output.parent):
                _put_in_place(folder, output)
    except BaseException as error:
        if isinstance(error, STOPS) or has_taken:
            _keep_parts(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _put_in_place(folder: Path, output: Path) -> None:
    _refuse_what_is_no_corpus(output)  # it may have come there since
    old = folder.with_name(folder.name + REPLACED)
    if output.exists():
        output.rename(old)
    try:
        folder.rename(output)
    except BaseException:
        if old.exists():
            old.rename(output)
        raise
    _sync(output.parent)
    # Only now is the new one where the old one was, also after the power fails.
    shutil.rmtree(old, ignore_errors=True)


def _keep_parts(folder: Path) -> None:
    if not folder.is_dir() or not finished_pieces(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for file in folder.iterdir():
        if file.name != PARTS:
            file.unlink()


def finished_pieces(folder: Path) -> int:
    """How many a folder that is being written has."""
    return sum(1 for _ in folder.glob(f"{PARTS}/*.npz"))


def kept_pieces(output: Path) -> int:
    """How many a stopped writer of a corpus left."""
    return max((finished_pieces(folder) for folder in _left_folders(output.resolve())), default=0)


def _left_folders(output: Path) -> list[Path]:
    """Of writers of the corpus that are not at work any more, the latest first."""
    written = re.compile(re.escape(_prefix(output)) + r"\w+")
    beside = output.parent.iterdir() if output.parent.is_dir() else ()
    found = [
        path for path in beside if written.fullmatch(path.name) and path.is_dir() and not _is_claimed(path)
    ]
    return sorted(found, key=lambda folder: folder.stat().st_mtime, reverse=True)


def _take_parts(output: Path, folder: Path, resume: bool) -> bool:
    """Give a new folder its PARTS; whether they are an earlier one's, which was there and may be used."""
    for left in _left_folders(output) if resume else ():
        if finished_pieces(left):
            with suppress(FileNotFoundError):  # another process was first
                left.joinpath(PARTS).rename(folder / PARTS)
                shutil.rmtree(left, ignore_errors=True)
                return True
    folder.joinpath(PARTS).mkdir()
    return False


def _sync(path: Path) -> None:
    """Have the disk keep it. A file system that cannot is taken as it is."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def brought_back(output: Path) -> bool:
    """Bring back the corpus that a writer killed between two renames had put aside; whether there was one."""
    if output.exists() or not output.parent.is_dir():
        return False
    with _alone(output.absolute().parent):
        _restore(output.absolute())
    return output.exists()


def _refuse_what_is_no_corpus(output: Path) -> None:
    if not output.exists():
        return
    if not output.is_dir() or (any(output.iterdir()) and not is_corpus(output)):
        raise CorpusError(f"{output}: exists and is not a corpus; choose another directory")
    foreign = sorted(file.name for file in output.iterdir() if file.name not in FILES)
    if foreign or output == Path.cwd():
        what = f"also holds {foreign[0]}" if foreign else "is the current directory"
        raise CorpusError(f"{output}: {what} and cannot be replaced; choose another directory")


def _prefix(output: Path) -> str:
    name = output.name
    if len(os.fsencode(name)) > LONGEST_NAME:  # the whole may have 255 bytes
        name = f"{name[:40]}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}"
    return f".{name}.writing-"


def _sweep(output: Path) -> None:
    """Remove what stopped writers left."""
    for folder in _left_folders(output):
        shutil.rmtree(folder, ignore_errors=True)


def _restore(output: Path) -> None:
    """A corpus that a killed writer had put aside and not replaced comes back."""
    aside = re.compile(re.escape(_prefix(output)) + r"\w+" + re.escape(REPLACED))
    for old in [path for path in output.parent.iterdir() if aside.fullmatch(path.name)]:
        written = old.with_suffix("")
        if written.is_dir() and _is_claimed(written):
            continue  # its writer is at it now
        if not output.exists():
            old.rename(output)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Holds a lock on a folder, which dies with its process."""
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _alone(parent: Path) -> AbstractContextManager[None]:
    """While nobody else renames or sweeps in this directory."""
    return _locked(parent)


def _claimed(folder: Path) -> AbstractContextManager[None]:
    """While others can see that the folder has a living writer."""
    return _locked(folder, shared=True)


def _is_claimed(folder: Path) -> bool:
    """Whether its writer lives, or may: one that has not written yet may not have claimed it yet."""
    if fcntl is None:
        return True
    if not any(folder.iterdir()):  # one that was made a moment ago is not claimed yet
        return time.time() - folder.stat().st_mtime < YOUNG_SECONDS
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
