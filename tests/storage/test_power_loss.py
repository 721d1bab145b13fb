"""What is left on a disk that keeps nothing but what was flushed to it, when the power goes at any moment."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from conftest import step_of, tiny_saved

from langmodel.storage import atomic
from langmodel.storage.model_file import LAST, PREVIOUS, save_model

Names = dict[str, int]
"""What a directory holds: file names and the numbers of their inodes."""


@dataclass
class Disk:
    """The module `os`, noting what would survive if the power went after each call.

    A file's bytes survive from its last fsync; names made, moved or removed survive from the directory's,
    and of the changes since then, in the order they were made, as many as the disk happened to write.
    """

    folder: Path
    contents: dict[int, bytes] = field(default_factory=dict)
    """Of each inode, what was flushed."""
    flushed: Names = field(default_factory=dict)
    changes: list[Names] = field(default_factory=list)
    """The whole directory after each change that was not flushed."""
    moments: list[list[tuple[Names, dict[int, bytes]]]] = field(default_factory=list)
    """After each call, every state the disk may be in."""

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in ("open", "write", "fsync", "replace", "link", "unlink"):
            return real

        def call(*arguments: Any, **more: Any) -> Any:
            result = real(*arguments, **more)
            if name == "fsync":
                self._flush(arguments[0])
            if name == "open" and arguments[1] & os.O_TRUNC:
                self.contents.pop(os.fstat(result).st_ino, None)
            now = {file.name: file.stat().st_ino for file in self.folder.iterdir()}
            if now != (self.changes or [self.flushed])[-1]:
                self.changes.append(now)
            self.moments.append([(names, dict(self.contents)) for names in [self.flushed, *self.changes]])
            return result

        return call

    def _flush(self, handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if path == self.folder:
            self.flushed = {file.name: file.stat().st_ino for file in self.folder.iterdir()}
            self.changes = []
        else:
            self.contents[path.stat().st_ino] = path.read_bytes()

    def restore(self, state: tuple[Names, dict[int, bytes]], folder: Path) -> None:
        """The directory as it is found when the power is back; unflushed bytes are gone."""
        names, contents = state
        folder.mkdir()
        for name, inode in names.items():
            (folder / name).write_bytes(contents.get(inode, b""))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs the names of open files")
def test_power_loss_leaves_the_old_state_or_the_new_and_never_takes_a_save_back(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    folder.mkdir()
    disk = Disk(folder)
    monkeypatch.setattr(atomic, "os", disk)
    outcomes = []
    for step in range(4):
        disk.moments.clear()
        save_model(folder / LAST, tiny_saved(step), keep_as=folder / PREVIOUS)
        returned = len(disk.moments) - 1
        for moment, states in enumerate(disk.moments):
            for number, state in enumerate(states):
                found = tmp_path / f"found-{step}-{moment}-{number}"
                disk.restore(state, found)
                if (found / LAST).exists():
                    outcomes.append(step_of(found / LAST) - step)
                    assert outcomes[-1] in (-1, 0)
                else:
                    assert step == 0, "what was saved before is gone"
                if (found / PREVIOUS).exists():
                    assert step_of(found / PREVIOUS) <= step
                if moment == returned:
                    assert step_of(found / LAST) == step, "an acknowledged save is gone"
    assert {-1, 0} == set(outcomes)


@pytest.mark.parametrize("forgotten", ["file", "directory"])
def test_the_disk_notices_a_forgotten_fsync(tmp_path, monkeypatch, forgotten):
    folder = tmp_path / "run"
    folder.mkdir()
    disk = Disk(folder)

    class Forgetful:
        def __getattr__(self, name: str) -> Any:
            if name != "fsync":
                return getattr(disk, name)

            def fsync(handle: int) -> None:
                is_directory = Path(f"/proc/self/fd/{handle}").readlink().is_dir()
                if is_directory != (forgotten == "directory"):
                    disk.fsync(handle)

            return fsync

    monkeypatch.setattr(atomic, "os", Forgetful())
    save_model(folder / LAST, tiny_saved(1))
    lost = 0
    for number, state in enumerate(disk.moments[-1]):
        disk.restore(state, tmp_path / f"found-{number}")
        file = tmp_path / f"found-{number}" / LAST
        lost += not file.exists() or not file.read_bytes()
    assert lost
