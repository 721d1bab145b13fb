"""A crash, a full disk or a broken one at every file operation: the old state or the new, never less."""

import errno
import os
from pathlib import Path

import pytest
from conftest import step_of, tiny_saved
from hypothesis import given, settings
from hypothesis import strategies as st

from langmodel.errors import LangModelError
from langmodel.storage import atomic
from langmodel.storage.atomic import locked_directory, write_atomically
from langmodel.storage.model_file import LAST, PREVIOUS, load_model, save_model

OPERATIONS = ("open", "write", "fsync", "read", "link", "replace", "close")

CRASH_CODE = 77


class FaultyOs:
    """The module `os`, whose k-th call of OPERATIONS fails; `happened` says whether it came to that."""

    def __init__(self, k: int, fault: str) -> None:
        self.left, self.fault, self.happened = k, fault, False

    def __getattr__(self, name: str) -> object:
        real = getattr(os, name)
        if name not in OPERATIONS:
            return real

        def call(*arguments: object, **more: object) -> object:
            self.left -= 1
            if self.left != 0:
                return real(*arguments, **more)
            self.happened = True
            if self.fault == "crash in the middle of a write" and name == "write":
                handle, data = arguments
                real(handle, data[: len(data) // 2])
            if self.fault.startswith("crash"):
                os._exit(CRASH_CODE)
            if name == "close":
                real(*arguments)
            number = errno.EIO if self.fault == "EIO" else errno.ENOSPC
            raise OSError(number, os.strerror(number))

        return call


def save_with_fault(folder: Path, k: int, fault: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Save step 2 over step 1 with the k-th operation failing; whether there was a k-th."""
    faulty = FaultyOs(k, fault)
    if fault.startswith("crash"):
        child = os.fork()
        if child == 0:
            try:
                atomic.os = faulty  # type: ignore[attr-defined]
                save_model(folder / LAST, tiny_saved(2), keep_as=folder / PREVIOUS)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) == CRASH_CODE
    with monkeypatch.context() as patched:
        patched.setattr(atomic, "os", faulty)
        try:
            save_model(folder / LAST, tiny_saved(2), keep_as=folder / PREVIOUS)
        except LangModelError as error:
            assert "cannot be written" in str(error)
            assert str(folder / LAST) in str(error)
    return faulty.happened


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("fault", ["crash", "crash in the middle of a write", "ENOSPC", "EIO"])
def test_a_fault_at_any_file_operation_leaves_the_old_state_or_the_new(tmp_path, monkeypatch, fault):
    outcomes = set()
    for k in range(1, 100):
        folder = tmp_path / str(k)
        folder.mkdir()
        save_model(folder / LAST, tiny_saved(0), keep_as=folder / PREVIOUS)
        save_model(folder / LAST, tiny_saved(1), keep_as=folder / PREVIOUS)
        happened = save_with_fault(folder, k, fault, monkeypatch)
        with locked_directory(folder):  # what the next trainer does first
            assert {f.name for f in folder.iterdir()} == {".lock", LAST, PREVIOUS}
        outcomes.add((step_of(folder / LAST), step_of(folder / PREVIOUS)))
        for step in (3, 4):  # and it goes on
            save_model(folder / LAST, tiny_saved(step), keep_as=folder / PREVIOUS)
        assert {f.name for f in folder.iterdir()} == {".lock", LAST, PREVIOUS}
        assert (step_of(folder / LAST), step_of(folder / PREVIOUS)) == (4, 3)
        if not happened:
            break
    else:
        pytest.fail("a save has fewer operations than that")
    assert k > 8
    # Old; old with the kept copy moved up already; new. Never anything else.
    assert {(1, 0), (2, 1)} <= outcomes <= {(1, 0), (1, 1), (2, 1)}


def test_a_short_write_is_gone_on_with(tmp_path, monkeypatch):
    class Stuttering:
        def __getattr__(self, name: str) -> object:
            if name == "write":
                return lambda handle, data: os.write(handle, data[:3])
            return getattr(os, name)

    monkeypatch.setattr(atomic, "os", Stuttering())
    write_atomically(tmp_path / "f", b"0123456789")
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def test_a_disk_that_lies_is_found_out(tmp_path, monkeypatch):
    write_atomically(tmp_path / "f", b"old")

    class Lying:
        def __getattr__(self, name: str) -> object:
            if name == "read":
                return lambda handle, size: os.read(handle, size).replace(b"n", b"m")
            return getattr(os, name)

    monkeypatch.setattr(atomic, "os", Lying())
    with pytest.raises(LangModelError, match="read back"):
        write_atomically(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"


@pytest.fixture(scope="module")
def valid_bytes(tmp_path_factory) -> bytes:
    file = tmp_path_factory.mktemp("valid") / "m.safetensors"
    save_model(file, tiny_saved(1))
    return file.read_bytes()


def loads_or_refuses(folder: Path, data: bytes) -> None:
    file = folder / "fuzzed.safetensors"
    file.write_bytes(data)
    try:
        load_model(file)
    except LangModelError as error:
        assert str(file) in str(error)


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_give_a_model_or_a_clear_refusal(tmp_path_factory, data):
    loads_or_refuses(tmp_path_factory.getbasetemp(), data)


@settings(max_examples=300)
@given(st.data())
def test_mutations_of_a_valid_file_give_a_model_or_a_clear_refusal(tmp_path_factory, valid_bytes, data):
    mutated = bytearray(valid_bytes)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        piece = data.draw(st.binary(max_size=4))
        mutated[at : at + data.draw(st.integers(0, 9))] = piece
        if not mutated:
            break
    loads_or_refuses(tmp_path_factory.getbasetemp(), bytes(mutated))
