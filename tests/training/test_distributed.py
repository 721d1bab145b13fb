"""Several processes on this machine, over gloo, beside one alone."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from langmodel.errors import ConfigError
from langmodel.storage.run_files import read_metrics
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.training.batching import training_windows
from langmodel.training.config import TrainingConfig
from langmodel.training.distributed import Ranks

pytestmark = pytest.mark.xdist_group("torchrun")
"""One launcher at a time: two may choose the same free port."""

TRAIN = (
    "--embedding-size 12 --hidden-size 16 --batch-size 4 --bptt 7 --epochs 3 --dropout 0.3 "
    "--word-dropout 0.1 --weight-drop 0.2 --ar 1 --average ema --patience 0"
).split()


def torchrun(processes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    launcher += ["--master-port", "0", "--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    return subprocess.run(
        [*launcher, "-m", "langmodel", "train", *arguments, "--threads", "1", "--device", "cpu"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def alone(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "langmodel", "train", *arguments, "--threads", "1"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def losses(run: Path) -> list[float]:
    return [row["valid_loss"] for row in read_metrics(run)]


@pytest.fixture
def trained(poem_corpus, tmp_path):
    """The same run, by one process and by two."""
    corpus = str(poem_corpus.path)
    one, two = tmp_path / "one", tmp_path / "two"
    assert alone(corpus, "-o", str(one), *TRAIN).returncode == 0
    result = torchrun(2, corpus, "-o", str(two), *TRAIN)
    assert result.returncode == 0, result.stderr
    return corpus, one, two, result


def test_two_processes_learn_what_one_does_to_rounding_and_the_first_alone_writes(trained, tmp_path):
    corpus, one, two, result = trained
    assert losses(two) == pytest.approx(losses(one), abs=2e-4)
    ours, theirs = load_file(two / "best.safetensors"), load_file(one / "best.safetensors")
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name], tensor, atol=2e-3), name
    assert result.stdout.count("best validation perplexity") == 1
    assert len(read_metrics(two)) == 3
    assert json.loads((two / "run.json").read_text())["finished"]

    # Stopped in the middle and taken up again, by two processes: the same bits.
    stopped = tmp_path / "stopped"
    first = torchrun(2, corpus, "-o", str(stopped), *TRAIN, "--max-minutes", "0.0001")
    assert first.returncode == 0, first.stderr
    assert "stopped after" in first.stderr
    by_one = shutil.copytree(stopped, tmp_path / "by-one")
    second = torchrun(2, corpus, "-o", str(stopped), "--resume")
    assert second.returncode == 0, second.stderr
    assert (stopped / "best.safetensors").read_bytes() == (two / "best.safetensors").read_bytes()

    # By another number of processes: the same losses to rounding, and a note.
    fewer = alone(corpus, "-o", str(by_one), "--resume")
    assert fewer.returncode == 0, fewer.stderr
    assert "note: 1 process now, 2 before; results will differ in the last bits" in fewer.stderr
    assert losses(by_one) == pytest.approx(losses(two), abs=2e-4)


def test_columns_must_be_shared_out_evenly_and_sentences_cannot_be():
    ids = torch.arange(3, 200).numpy().astype("uint16")
    with pytest.raises(ConfigError, match="make it a multiple of 3"):
        training_windows(ids, TrainingConfig(batch_size=20), Ranks(0, 3))
    with pytest.raises(ConfigError, match="--context document"):
        training_windows(ids, replace(TrainingConfig(batch_size=20), context="sentence"), Ranks(0, 2))


def test_a_process_alone_checks_its_corpus_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert Ranks().is_first_here
    assert not Ranks(1, 2).is_first_here


def test_processes_that_have_different_corpora_are_told_so(poem_corpus, tmp_path):
    (tmp_path / "other.txt").write_text("a b c\nb c d\n" * 40)
    config = PreprocessConfig(tokenizer="whitespace", sentences="line")
    other = preprocess([str(tmp_path / "other.txt")], tmp_path / "other", config)
    script = tmp_path / "each.py"
    script.write_text(
        "import os, sys\nfrom langmodel.cli.main import run\n"
        f"corpus = {[str(poem_corpus.path), str(other.path)]}[int(os.environ['RANK'])]\n"
        f"sys.exit(run(['train', corpus, '-o', {str(tmp_path / 'run')!r}, *{TRAIN}]))\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    result = subprocess.run([*launcher, str(script)], capture_output=True, text=True, timeout=120)
    assert result.returncode
    assert "is not the one that process 0 has" in result.stderr
    assert "is another one in 1 of 2 processes" in result.stderr
    assert not (tmp_path / "run" / "best.safetensors").exists()
