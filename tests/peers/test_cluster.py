"""A real Dask cluster of processes: the same bytes, also when a worker dies, and what is refused."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
from conftest import POEM

from langmodel.cli.main import run
from langmodel.runs.preparing import preprocess
from langmodel.text import pieces
from langmodel.text.cluster import ClusterExecutor

pytestmark = [
    pytest.mark.xdist_group("cluster"),  # processes of its own, and deadlines
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # Dask's own sockets
]

distributed = pytest.importorskip("distributed", reason="make peers-test installs dask")


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 4_000)
    file = tmp_path / "text.txt"
    file.write_text("".join(f"{POEM}the word{n} sat . \n" for n in range(600)))
    return file


def files_of(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(directory.iterdir()) if file.is_file()}


def test_the_bytes_are_those_of_one_process(text, tmp_path):
    preprocess(text, tmp_path / "one", workers=1, quiet=True)
    expected = files_of(tmp_path / "one")
    for address in ("local:1", "local:2", "local:4"):
        assert run(["preprocess", str(text), "-o", str(tmp_path / address[-1]), "--cluster", address]) == 0
        found = files_of(tmp_path / address[-1])
        for name in ("train.npy", "valid.npy", "test.npy", "vocabulary.json"):
            assert found[name] == expected[name]


def test_the_workers_read_the_files_and_what_they_cannot_see_is_sent(text, tmp_path, monkeypatch):
    preprocess(text, tmp_path / "one", workers=1, quiet=True)
    read = []
    passages = pieces.FilePart.passages
    monkeypatch.setattr(
        pieces.FilePart, "passages", lambda self, *what: read.append(1) or passages(self, *what)
    )
    preprocess(
        text, tmp_path / "two", cluster="local:2", tokenizer="whitespace", sentences="line", quiet=True
    )
    assert not read  # in this process
    monkeypatch.setattr(ClusterExecutor, "can_read", lambda self, path: False)
    preprocess(text, tmp_path / "three", cluster="local:2", quiet=True)
    assert files_of(tmp_path / "three")["train.npy"] == files_of(tmp_path / "one")["train.npy"]


def test_a_folder_that_the_workers_cannot_write_is_one_line(text, tmp_path, capsys, monkeypatch):
    def failing(piece):
        raise OSError(13, "Permission denied")

    monkeypatch.setattr("langmodel.text.preprocess.partial", lambda *arguments: failing)
    assert run(["preprocess", str(text), "-o", str(tmp_path / "c"), "--cluster", "local:1"]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"/c: cannot be written \(Permission denied on \S+\)", error)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["text.txt"]


def test_a_worker_that_dies_is_replaced_and_the_bytes_are_the_same(text, tmp_path):
    preprocess(text, tmp_path / "one", workers=1, quiet=True)
    made = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0")
    with made as cluster:
        pids = [worker.pid for worker in cluster.workers.values()]

        def kill() -> None:
            time.sleep(0.5)
            os.kill(pids[0], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        preprocess(text, tmp_path / "two", cluster=cluster.scheduler_address, quiet=True)
        killer.join()
    assert files_of(tmp_path / "two")["train.npy"] == files_of(tmp_path / "one")["train.npy"]
    assert files_of(tmp_path / "two")["vocabulary.json"] == files_of(tmp_path / "one")["vocabulary.json"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:9", "no scheduler answers there"),
        ("local:0", "local:N with N"),
        ("here", "expected tcp"),
    ],
)
def test_addresses_without_a_scheduler_are_one_line(text, tmp_path, capsys, monkeypatch, address, said):
    monkeypatch.setattr("langmodel.text.cluster.SECONDS_TO_CONNECT", 1)
    assert run(["preprocess", str(text), "-o", str(tmp_path / "c"), "--cluster", address]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "c").exists()


def test_a_cluster_without_workers_and_one_of_another_version(text, tmp_path, capsys, monkeypatch):
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0") as cluster:
        command = ["preprocess", str(text), "-o", str(tmp_path / "c"), "--cluster", cluster.scheduler_address]
        assert run(command) == 2
        assert "has no workers" in capsys.readouterr().err
        cluster.scale(1)
        with distributed.Client(cluster) as client:
            client.wait_for_workers(1)
        monkeypatch.setattr("langmodel.text.cluster.__version__", "9.9")
        assert run(command) == 2
        assert "the bytes would not be the same" in capsys.readouterr().err
    assert run([*command, "--workers", "2"]) == 2


def test_the_scheduler_s_death_is_one_line_and_nothing_half_made_is_left(text, tmp_path, capsys, monkeypatch):
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        submit, calls = ClusterExecutor.submit, []

        def dying(self, *arguments):
            calls.append(submit(self, *arguments))
            if len(calls) == 3:
                cluster.close()
            return calls[-1]

        monkeypatch.setattr(ClusterExecutor, "submit", dying)
        command = ["preprocess", str(text), "-o", str(tmp_path / "c"), "--cluster", cluster.scheduler_address]
        assert run(command) == 1
    error = capsys.readouterr().err
    assert "the scheduler is gone" in error and "Traceback" not in error
    assert not (tmp_path / "c").exists()
