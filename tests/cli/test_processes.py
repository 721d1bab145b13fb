"""What only whole processes show: workers, signals, terminals, full disks, closed doors, several ranks."""

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import POEM
from safetensors.torch import load_file

from langmodel.cli.main import run
from langmodel.storage import atomic
from langmodel.storage.model_file import load_model, save_model
from langmodel.storage.run_files import read_metrics, read_run

SMALL = "--embedding-size 8 --hidden-size 8 --batch-size 2 --bptt 4 --no-baselines --threads 1".split()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    (folder / "poem.txt").write_text(POEM * 40)
    assert run(["preprocess", str(folder / "poem.txt"), "-o", str(folder / "corpus")]) == 0
    return folder / "corpus"


def start(*arguments: object, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "langmodel", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore[call-overload]


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors.decode()


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.01)


def test_two_worker_processes_write_the_bytes_of_one(tmp_path):
    (tmp_path / "text").write_text(
        "\n".join(f"The cat no. {n} sat. Did it see {n % 7} dogs?" for n in range(3_000))
    )
    for workers in (1, 2):
        made = start("preprocess", tmp_path / "text", "-o", tmp_path / str(workers), "--workers", workers)
        assert finish(made)[0] == 0
    files = [{f.name: f.read_bytes() for f in (tmp_path / name).iterdir()} for name in ("1", "2")]
    assert files[0] == files[1]


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_in_preprocessing_leaves_finished_pieces_alone(tmp_path, workers):
    process = start("preprocess", "-", "-o", tmp_path / "c", "--workers", workers, stdin=subprocess.PIPE)
    line = b"The cat sat on the mat. It slept well.\n" * 2_000
    assert process.stdin is not None
    for _ in range(40):
        process.stdin.write(line)
    process.stdin.flush()
    process.send_signal(signal.SIGTERM)
    status, errors = finish(process)
    assert status == 143, errors
    assert "Traceback" not in errors
    left = [path for folder in tmp_path.iterdir() for path in folder.iterdir()]
    assert {path.name for path in left} <= {"parts"}
    assert ("add --resume to go on from them" in errors) == bool(left)
    (tmp_path / "short.txt").write_text("the cat sat\n")
    assert run(["preprocess", str(tmp_path / "short.txt"), "-o", str(tmp_path / "c")]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"c", "short.txt"}


def test_a_time_limit_stops_a_run_that_goes_on_with_the_same_bits(corpus, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train = ["train", str(corpus), *SMALL, "--epochs", "2", "-o"]
    assert run([*train, str(whole)]) == 0
    assert run([*train, str(cut), "--max-minutes", "0.0005"]) == 0
    assert not read_run(cut)["finished"]
    assert (
        load_model(cut / "last.safetensors").provenance["step"]
        < load_model(whole / "last.safetensors").provenance["step"]
    )
    assert run(["train", str(corpus), "-o", str(cut), "--resume", "--threads", "1", "--no-baselines"]) == 0
    for name in ("best.safetensors", "last.safetensors"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()


@pytest.mark.parametrize("size", ["known", "unknown"])
def test_a_terminal_shows_a_bar_with_loss_perplexity_and_speed(corpus, tmp_path, size):
    ours, theirs = pty.openpty()
    if size == "known":
        import fcntl
        import struct
        import termios

        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    command = [sys.executable, "-m", "langmodel", "train", str(corpus), "-o", str(tmp_path / "r"), *SMALL]
    process = subprocess.Popen([*command, "--epochs", "2"], stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while block := os.read(ours, 4096):
            shown += block
    except OSError:
        pass  # the other end is closed
    os.close(ours)
    assert process.wait(timeout=60) == 0
    bar = shown.decode()
    for part in ("training:", "loss ", "perplexity ", "tokens/s"):
        assert part in bar


def full_disk() -> None:
    """Of the child: no file may grow beyond this."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))


def test_a_full_disk_is_one_line_and_the_save_before_stays(corpus, tmp_path):
    made = tmp_path / "r"
    assert run(["train", str(corpus), "-o", str(made), *SMALL, "--epochs", "1"]) == 0
    before = (made / "last.safetensors").read_bytes()
    assert len(before) > 6_000
    again = start("train", corpus, "-o", made, *SMALL, "--epochs", "1", "--overwrite", preexec_fn=full_disk)
    status, errors = finish(again)
    assert status == 1, errors
    assert "Traceback" not in errors
    last = errors.strip().splitlines()[-1]
    assert last.startswith("langmodel: error: ")
    assert "safetensors" in last
    assert not [file for file in made.iterdir() if "tmp" in file.name]
    # Resumed with a full disk, a run loses nothing that it had.
    stopped = ["--epochs", "400", "--max-minutes", "0.01", "--overwrite"]
    assert run(["train", str(corpus), "-o", str(made), *SMALL, *stopped]) == 0
    kept = (made / "last.safetensors").read_bytes()
    resumed = start("train", corpus, "-o", made, "--resume", "--threads", 1, preexec_fn=full_disk)
    status, errors = finish(resumed)
    assert status == 1, errors
    assert "cannot be written" in errors.strip().splitlines()[-1]
    assert (made / "last.safetensors").read_bytes() == kept


@pytest.mark.parametrize("place", ["{here}/file/run", "/proc/none/run", "{here}/file"])
def test_a_place_that_cannot_be_written_is_found_before_training(corpus, tmp_path, capsys, place):
    (tmp_path / "file").write_text("not a folder")
    made = place.format(here=tmp_path)
    assert run(["train", str(corpus), "-o", made, *SMALL]) in (1, 2)
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1, errors
    assert made.removesuffix("/run") in errors


LONG = ["--epochs", "100000", "--patience", "0", "--evaluate-every", "40"]


def test_a_second_signal_quits_at_once_and_leaves_what_was_saved(corpus, tmp_path):
    made = tmp_path / "r"
    # An interval between evaluations that no first signal waits for, so that the second one finds it at work.
    process = start("train", corpus, "-o", made, *SMALL, *LONG)
    wait_for(lambda: (made / "last.safetensors").exists())
    os.kill(process.pid, signal.SIGSTOP)  # both are there before it looks
    for _ in range(2):
        os.kill(process.pid, signal.SIGTERM)
        os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGCONT)
    status, errors = finish(process)
    assert status in (-signal.SIGTERM, -signal.SIGINT), errors
    assert load_model(made / "last.safetensors").training is not None


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_saves_and_ends_with_its_code(corpus, tmp_path, number, code):
    made = tmp_path / "r"
    process = start("train", corpus, "-o", made, *SMALL, *LONG)
    wait_for(lambda: (made / "metrics.jsonl").exists())
    os.kill(process.pid, number)
    status, errors = finish(process)
    assert status == 128 + number, errors
    assert "go on with --resume" in errors
    assert load_model(made / "last.safetensors").training.values["progress"]["step"] >= 40


def test_a_run_whose_listener_has_gone_goes_on(corpus, tmp_path):
    with start("train", corpus, "-o", tmp_path / "r", *SMALL, "--epochs", "2") as process:
        process.stderr.close()
        assert process.wait(timeout=60) == 0
    assert read_run(tmp_path / "r")["finished"]


def test_a_run_whose_last_lines_nobody_reads_has_ended_well(corpus, tmp_path):
    with start("train", corpus, "-o", tmp_path / "r", *SMALL, "--epochs", "1") as process:
        process.stdout.close()
        assert process.wait(timeout=60) == 0


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"WORLD_SIZE": "2"}, "WORLD_SIZE is set but RANK"),
        ({"WORLD_SIZE": "abc"}, "WORLD_SIZE is 'abc', which is not a number of processes"),
        ({"LOCAL_WORLD_SIZE": "0", "WORLD_SIZE": "0"}, "WORLD_SIZE is '0'"),
    ],
)
def test_half_a_torchrun_is_one_line(corpus, tmp_path, capsys, monkeypatch, variables, says):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run(["train", str(corpus), "-o", str(tmp_path / "r"), *SMALL]) == 2
    assert says in capsys.readouterr().err


def test_a_disk_too_small_for_the_run_is_found_before_training(corpus, tmp_path, capsys, monkeypatch):
    small = SimpleNamespace(free=1_000)
    monkeypatch.setattr("langmodel.runs.run_directory.shutil.disk_usage", lambda path: small)
    assert run(["train", str(corpus), "-o", str(tmp_path / "r"), *SMALL]) == 2
    captured = capsys.readouterr()
    assert "make room, or choose another directory" in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "r" / "run.json").exists()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_what_a_run_takes_on_disk_is_foretold_and_what_it_has_is_counted(
    corpus, tmp_path, monkeypatch, optimizer
):
    from langmodel.runs import run_directory

    made, free = tmp_path / "r", 10**9
    usage = lambda path: SimpleNamespace(free=free)  # noqa: E731
    monkeypatch.setattr(run_directory.shutil, "disk_usage", usage)
    foretold = []
    real = run_directory.Trainer.state_bytes.fget
    monkeypatch.setattr(
        run_directory.Trainer, "state_bytes", property(lambda t: foretold.append(real(t)) or foretold[-1])
    )
    settings = [*SMALL, "--optimizer", optimizer, "--hidden-size", "200", "--epochs", "3", "--average", "ema"]
    assert run(["train", str(corpus), "-o", str(made), *settings]) == 0
    tensors = sum(tensor.nbytes for tensor in load_file(made / "last.safetensors").values())
    assert foretold[-1] == pytest.approx(tensors, rel=0.02)
    free = 2 * foretold[-1]  # for the next `last`, and a little
    assert run(["train", str(corpus), "-o", str(made), "--resume", "--threads", "1", "--no-baselines"]) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_inside_a_save_lets_it_finish(corpus, tmp_path, monkeypatch, number):
    from langmodel.runs import training_run

    saved = []
    real = training_run.save_model

    def interrupted(path, *arguments, **more):
        if saved[-1:] == ["best.safetensors"]:
            os.kill(os.getpid(), number)
        real(path, *arguments, **more)
        saved.append(path.name)

    monkeypatch.setattr(training_run, "save_model", interrupted)
    made = tmp_path / "r"
    assert run(["train", str(corpus), "-o", str(made), *SMALL, "--epochs", "9"]) == 128 + number
    progress = load_model(made / "last.safetensors").training.values["progress"]
    assert (progress["epoch"], saved[-1]) == (1, "last.safetensors")


def test_a_run_killed_between_any_two_of_its_files_is_taken_up_again(corpus, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    class MortalOs:
        """The module `os`, after whose k-th replacement of a file the process is no more."""

        def __init__(self, k: int) -> None:
            self.left = k

        def __getattr__(self, name: str) -> object:
            return self.replace if name == "replace" else getattr(os, name)

        def replace(self, old: Path, new: Path) -> None:
            Path(old).replace(new)
            self.left -= 1
            if not self.left:
                raise Killed

    train = ["train", str(corpus), *SMALL, "--epochs", "2", "--dropout", "0.2", "-o"]
    files = ("best.safetensors", "last.safetensors")
    assert run([*train, str(tmp_path / "whole")]) == 0
    whole = [(tmp_path / "whole" / name).read_bytes() for name in files]
    for k in range(1, 100):
        made = tmp_path / str(k)
        with monkeypatch.context() as patched:
            patched.setattr(atomic, "os", MortalOs(k))
            try:
                assert run([*train, str(made)]) == 0
                break
            except Killed:
                pass
        taken_up = ["--resume"] if (made / "last.safetensors").exists() else []
        assert run([*train, str(made), *taken_up]) == 0
        assert [(made / name).read_bytes() for name in files] == whole
        assert len(read_metrics(made)) == 2
    assert k > 8


def test_sigterm_in_an_evaluation_ends_it_with_143(corpus, tmp_path):
    made = tmp_path / "r"
    assert run(["train", str(corpus), "-o", str(made), *SMALL, "--epochs", "1"]) == 0
    (tmp_path / "long.txt").write_text(POEM * 200_000)  # half a minute's work at least
    process = start("evaluate", made, tmp_path / "long.txt", "--context", "sentence", "--threads", 1)
    time.sleep(6)
    os.kill(process.pid, signal.SIGTERM)
    status, errors = finish(process)
    assert status == 143, errors
    assert errors == ""


def test_another_number_of_threads_is_said(corpus, tmp_path, capsys):
    made = str(tmp_path / "r")
    assert run(["train", str(corpus), "-o", made, *SMALL, "--epochs", "1"]) == 0
    assert run(["train", str(corpus), "-o", made, "--resume", "--threads", "2", "--no-baselines"]) == 0
    assert "note: 2 threads now, 1 before" in capsys.readouterr().err


def test_another_device_is_said_and_what_to_do_about_odd_numbers_may_change(corpus, tmp_path, capsys):
    made = tmp_path / "r"
    assert run(["train", str(corpus), "-o", str(made), *SMALL, "--epochs", "1"]) == 0
    saved = load_model(made / "last.safetensors")
    assert saved.provenance["device"] == "cpu"
    saved.provenance["device"] = "cuda"
    save_model(made / "last.safetensors", saved)
    capsys.readouterr()
    resumed = ["train", str(corpus), "-o", str(made), "--resume", "--threads", "1", "--no-baselines"]
    assert run([*resumed, "--on-nonfinite", "skip"]) == 0
    assert "note: on cpu now, on cuda before" in capsys.readouterr().err
    assert run([*resumed, "--seed", "2"]) == 2


def test_a_run_is_saved_between_evaluations_that_are_far_apart(corpus, tmp_path, monkeypatch):
    from langmodel.runs import training_run

    saved = []
    monkeypatch.setattr(training_run, "SAVE_SECONDS", 0)
    monkeypatch.setattr(training_run, "save_model", lambda path, *_, **__: saved.append(path.name))
    settings = [*SMALL, "--epochs", "1", "--ngrams", "0"]
    assert run(["train", str(corpus), "-o", str(tmp_path / "r"), *settings]) == 0
    assert saved.count("last.safetensors") > 10


def test_a_network_that_memory_cannot_hold_is_one_line(corpus, tmp_path, capsys):
    huge = ["--hidden-size", "1048576", "--embedding-size", "1048576", "--threads", "1"]
    assert run(["train", str(corpus), "-o", str(tmp_path / "r"), *huge]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "out of memory" in captured.err
    assert "--hidden-size" in captured.err


def test_memory_that_ends_in_training_keeps_the_last_save(corpus, tmp_path, capsys, monkeypatch):
    from langmodel.training.trainer import Trainer

    made = tmp_path / "r"
    step = Trainer.train_step

    def ends(self, window):
        if self.progress.epoch:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
        return step(self, window)

    monkeypatch.setattr(Trainer, "train_step", ends)
    assert run(["train", str(corpus), "-o", str(made), *SMALL, "--epochs", "2"]) == 1
    assert "lower --batch-size, --bptt or --hidden-size" in capsys.readouterr().err
    monkeypatch.undo()
    assert run(["train", str(corpus), "-o", str(made), "--resume", "--threads", "1", "--no-baselines"]) == 0
    assert len(read_metrics(made)) == 2


# Several ranks.


def torchrun(corpus: Path, made: Path) -> subprocess.Popen[bytes]:
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
    launcher += ["--rdzv-endpoint", "localhost:0", "-m", "langmodel", "train", str(corpus), "-o", str(made)]
    long = ["--epochs", "500", "--patience", "0", "--evaluate-every", "60", "--device", "cpu"]
    return subprocess.Popen(
        [sys.executable, *launcher, *SMALL, *long],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def ranks_of(launcher: subprocess.Popen[bytes]) -> list[int]:
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    return [int(child) for child in children]


@pytest.mark.xdist_group("torchrun")
def test_when_a_rank_dies_all_end_and_the_last_save_is_sound(corpus, tmp_path):
    made = tmp_path / "r"
    process = torchrun(corpus, made)
    wait_for(lambda: (made / "last.safetensors").exists())
    os.kill(ranks_of(process)[1], signal.SIGKILL)
    began = time.monotonic()
    assert finish(process)[0] != 0
    assert time.monotonic() - began < 60
    assert load_model(made / "last.safetensors").training is not None


@pytest.mark.xdist_group("torchrun")
def test_a_signal_to_one_rank_stops_and_saves_both(corpus, tmp_path):
    made = tmp_path / "r"
    process = torchrun(corpus, made)
    wait_for(lambda: (made / "last.safetensors").exists())
    os.kill(ranks_of(process)[1], signal.SIGTERM)
    status, errors = finish(process)
    assert status != 0, errors
    assert "stopped by another process; go on with --resume" in errors
    saved = load_model(made / "last.safetensors")
    assert saved.training is not None
    assert (
        saved.training.values["progress"]["step"]
        >= json.loads((made / "metrics.jsonl").read_text().splitlines()[-1])["step"]
    )
