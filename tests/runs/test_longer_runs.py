"""Runs that go on: longer, planned by the clock, from a model's weights; through the command line."""

import math
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from langmodel.cli.main import run
from langmodel.runs.resuming import NEXT_PEAK
from langmodel.storage.model_file import load_model
from langmodel.storage.run_files import read_metrics, read_run

SMALL = "--embedding-size 8 --hidden-size 8 --batch-size 2 --bptt 4 --no-baselines --threads 1 --dropout 0.2"


@pytest.fixture
def train(poem_corpus, tmp_path, monkeypatch):
    """Train in a run directory; the exit code."""
    monkeypatch.chdir(tmp_path)

    def train(name: str, flags: str, sizes: str = SMALL, corpus: str = "corpus") -> int:
        return run(["train", corpus, "-o", name, *sizes.split(), *flags.split()])

    return train


def bytes_of(name: str) -> tuple[bytes, bytes]:
    return Path(name, "best.safetensors").read_bytes(), Path(name, "last.safetensors").read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        "--schedule constant --learning-rate 0.01",
        "--schedule halve --optimizer sgd --learning-rate 2 --evaluate-every 7 --patience 0",
        "--schedule plateau --optimizer sgd --learning-rate 2 --average nt-asgd",
        "--schedule constant --learning-rate 0.01 --random-bptt --average ema",
    ],
)
def test_a_run_made_longer_has_the_bits_of_one_planned_so(train, settings):
    assert train("whole", f"{settings} --epochs 4") == 0
    assert train("part", f"{settings} --epochs 2") == 0
    assert train("part", "--resume --epochs 4") == 0
    assert bytes_of("part")[1] == bytes_of("whole")[1]
    best, planned = load_file("part/best.safetensors"), load_file("whole/best.safetensors")
    assert all(
        torch.equal(best[name], planned[name]) for name in planned
    )  # its settings may say fewer epochs
    rows = [row["valid_loss"] for row in read_metrics_of("whole")]
    assert rows == [row["valid_loss"] for row in read_metrics_of("part")]


def read_metrics_of(name):
    return read_metrics(Path(name))


def test_one_cycle_goes_on_with_another_from_the_best_weights(train, capsys):
    assert train("r", "--epochs 2 --learning-rate 0.01") == 0
    best = load_file("r/best.safetensors")
    assert train("r", "--resume --epochs 5") == 0
    assert "another cycle of the rate, up to 0.005" in capsys.readouterr().err
    rows = read_metrics_of("r")
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5]
    assert max(row["learning_rate"] for row in rows[2:]) <= NEXT_PEAK * 0.01
    assert rows[-1]["learning_rate"] < rows[2]["learning_rate"]
    config = read_run(Path("r"))["config"]
    assert (config["epochs"], config["learning_rate"]) == (5, 0.005)
    assert min(row["valid_loss"] for row in rows) <= rows[1]["valid_loss"]
    assert best.keys() == load_file("r/best.safetensors").keys()
    assert train("r", "--resume --epochs 6 --learning-rate 0.02") == 0
    assert "up to 0.02" in capsys.readouterr().err


def test_a_longer_cycle_that_is_interrupted_goes_on_with_the_same_bits(train, tmp_path, monkeypatch):
    from langmodel.training.trainer import Trainer

    assert train("a", "--epochs 2") == 0
    shutil.copytree("a", "b")
    assert train("a", "--resume --epochs 4") == 0
    real, steps = Trainer.train_step, []

    def step(self, window):
        steps.append(1)
        if len(steps) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, window)

    monkeypatch.setattr(Trainer, "train_step", step)
    assert train("b", "--resume --epochs 4") == 130
    monkeypatch.setattr(Trainer, "train_step", real)
    assert train("b", "--resume") == 0
    assert bytes_of("a") == bytes_of("b")


def test_a_finished_run_says_so_and_nothing_is_made_again(train, capsys):
    assert train("r", "--epochs 1") == 0
    before = bytes_of("r")
    capsys.readouterr()
    assert train("r", "--resume", sizes="--threads 1") == 0
    captured = capsys.readouterr()
    assert captured.out == "r: finished, after 1 epochs; --epochs with a larger number makes it longer\n"
    assert captured.err == ""
    assert bytes_of("r") == before
    assert train("r", "--resume --epochs 0.5") == 2
    assert "the run has 1 already" in capsys.readouterr().err


def test_part_of_an_epoch_is_trained_and_judged(train):
    assert train("r", "--epochs 1.5") == 0
    rows = read_metrics_of("r")
    assert [row["epoch"] for row in rows] == [1, 1]
    assert rows[1]["step"] == pytest.approx(1.5 * rows[0]["step"], abs=1)


def test_minutes_are_planned_and_kept_to(train, capsys):
    started = time.monotonic()
    assert train("r", "--minutes 0.15") == 0
    assert time.monotonic() - started < 1.2 * 9 + 1
    assert "plan for 0.15 minutes" in capsys.readouterr().err
    found = read_run(Path("r"))
    assert found["finished"]
    assert found["plan"]["epochs"] == found["config"]["epochs"]
    assert len(read_metrics_of("r")) >= 5
    epochs, every = found["plan"]["epochs"], found["plan"]["evaluate_every"]
    again = f"--epochs {epochs:g} --patience 0 --evaluate-every {every}"
    assert train("s", again) == 0
    assert bytes_of("r")[0] == bytes_of("s")[0]


@pytest.mark.parametrize("flag", ["--minutes 0", "--minutes nan", "--minutes -1", "--max-minutes inf"])
def test_minutes_that_are_none_are_refused(train, flag, capsys):
    assert train("r", flag) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_that_time_stops_is_judged_and_goes_on_with_the_same_bits(train, capsys):
    assert train("whole", "--epochs 3") == 0
    assert train("r", "--epochs 3 --max-minutes 0.001") == 0
    assert "stopped after 0.001 minutes" in capsys.readouterr().err
    assert len(read_metrics_of("r")) == 1
    assert math.isfinite(read_metrics_of("r")[0]["valid_loss"])
    assert train("r", "--resume") == 0
    assert bytes_of("r") == bytes_of("whole")


def test_a_run_begins_with_a_model_s_weights(train, tmp_path, capsys):
    assert train("general", "--epochs 3 --learning-rate 0.02") == 0
    sizes = "--threads 1 --no-baselines --batch-size 2 --bptt 4"
    assert train("same", "--epochs 1 --from general --learning-rate 1e-9", sizes=sizes) == 0
    assert "begins with the weights of general" in capsys.readouterr().err
    ours, theirs = (
        load_model(tmp_path / "same/best.safetensors"),
        load_model(tmp_path / "general/best.safetensors"),
    )
    for name, tensor in ours.network.state_dict().items():
        assert tensor.numpy() == pytest.approx(theirs.network.state_dict()[name].numpy(), abs=1e-5)
    (tmp_path / "other.txt").write_text("a whale swam and the cat saw the whale .\n" * 30)
    flags = "--tokenizer whitespace --sentences line --min-count 1"
    assert run(["preprocess", "other.txt", "-o", "other", *flags.split()]) == 0
    assert (
        train("by-word", "--epochs 1 --from general --learning-rate 1e-9", sizes=sizes, corpus="other") == 0
    )
    assert "rows are random" in capsys.readouterr().err
    mine = load_model(tmp_path / "by-word/best.safetensors")
    for word in ("cat", "the"):
        row = mine.network.embedding[mine.vocabulary.id_of(word)].detach().numpy()
        known = theirs.network.embedding[theirs.vocabulary.id_of(word)].detach().numpy()
        assert row == pytest.approx(known, abs=1e-5)
    assert run(["preprocess", "other.txt", "-o", "kept", "--vocabulary-from", "general"]) == 0
    assert train("kept-words", "--epochs 1 --from general", sizes=sizes, corpus="kept") == 0
    assert "rows are random" not in capsys.readouterr().err


def test_a_model_of_another_shape_or_language_is_refused(train, tmp_path, capsys):
    assert train("general", "--epochs 1") == 0
    capsys.readouterr()
    assert train("r", "--from general --cell gru", sizes="--threads 1") == 2
    assert "--cell gru, but general has lstm; leave it out" in capsys.readouterr().err
    (tmp_path / "x.txt").write_text("vuoi che parli ora\n" * 30)
    assert run("preprocess x.txt -o x --tokenizer whitespace --sentences line".split()) == 0
    capsys.readouterr()
    assert train("r", "--from general", sizes="--threads 1", corpus="x") == 2
    assert "knows 0 of the 4 words" in capsys.readouterr().err
    assert train("r", "--resume --from general", sizes="--threads 1") == 2


def test_a_run_whose_directory_is_moved_stops_and_writes_nothing_elsewhere(
    train, tmp_path, monkeypatch, capsys
):
    from langmodel.training.trainer import Trainer

    real, steps = Trainer.train_step, []

    def step(self, window):
        steps.append(1)
        if len(steps) == 5:
            (tmp_path / "r").rename(tmp_path / "moved")
            (tmp_path / "r").mkdir()
        return real(self, window)

    monkeypatch.setattr(Trainer, "train_step", step)
    assert train("r", "--epochs 1") == 1
    assert "moved or removed while this run was writing into it" in capsys.readouterr().err
    assert list((tmp_path / "r").iterdir()) == []


def test_resume_auto_begins_goes_on_and_leaves_a_finished_run_alone(tmp_path, poem_corpus, capsys):
    small = [
        "--embedding-size",
        "4",
        "--hidden-size",
        "4",
        "--epochs",
        "2",
        "--no-baselines",
        "--threads",
        "1",
    ]
    command = ["train", str(poem_corpus.path), "-o", str(tmp_path / "r"), *small, "--resume", "auto"]
    assert run(command) == 0
    whole = (tmp_path / "r" / "last.safetensors").read_bytes()
    capsys.readouterr()
    assert run(command) == 0
    assert "finished" in capsys.readouterr().out
    assert (tmp_path / "r" / "last.safetensors").read_bytes() == whole
    stopped = ["train", str(poem_corpus.path), "-o", str(tmp_path / "s"), *small]
    assert run([*stopped, "--max-minutes", "0.00001"]) == 0
    assert run([*stopped, "--resume=auto"]) == 0
    assert (tmp_path / "s" / "last.safetensors").read_bytes() == whole
