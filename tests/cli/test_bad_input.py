"""Bad input gets one clear line on stderr and exit 2, and destroys nothing."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import POEM, make_model, saved_model

from langmodel.cli.main import run
from langmodel.storage import container
from langmodel.storage.model_file import SavedModel, save_model


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    """A folder with texts good and bad, a corpus, and a model."""
    monkeypatch.chdir(tmp_path)
    lm = make_model()
    saved = SavedModel(network=lm.network, vocabulary=lm.vocabulary, pipeline=lm.pipeline, context="document")
    save_model(tmp_path / "model.safetensors", saved)
    data = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "short.safetensors").write_bytes(data[:-5])
    with monkeypatch.context() as newer:
        newer.setattr(container, "FORMAT", 9)
        save_model(tmp_path / "newer.safetensors", saved)
    (tmp_path / "good.txt").write_text(POEM * 9)
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin1.txt").write_bytes("caf\xe9\n".encode("latin-1"))
    (tmp_path / "nul.txt").write_bytes(b"a\0b\n")
    (tmp_path / "utf16.txt").write_bytes("hello\n".encode("utf-16"))
    (tmp_path / "config.toml").write_text("speed = 3\n")
    (tmp_path / "deep.toml").write_text(f"x = {'[' * 9_999}")
    (tmp_path / "loop").symlink_to("loop")
    assert run(["preprocess", "good.txt", "-o", "corpus"]) == 0
    stream = (tmp_path / "corpus" / "train.npy").read_bytes()
    for name, damaged in (("header", stream.replace(b"}", b"(", 1)), ("zip", b"PK\x03\x04" + stream)):
        shutil.copytree("corpus", name)
        (tmp_path / name / "train.npy").write_bytes(damaged)
    shutil.copytree("corpus", "numbers")
    description = json.loads((tmp_path / "numbers" / "corpus.json").read_text())
    description["splits"]["train"]["documents"] = "x"
    (tmp_path / "numbers" / "corpus.json").write_text(json.dumps(description))
    (tmp_path / "empty").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("mine")
    return tmp_path


CASES = [
    ("preprocess none.txt -o c", "none.txt: no such file"),
    ("preprocess empty.txt -o c", "no words"),
    ("preprocess latin1.txt -o c", "not UTF-8 at byte 3, line 1"),
    ("preprocess nul.txt -o c", "NUL byte at byte 1, line 1"),
    ("preprocess utf16.txt -o c", "UTF-16"),
    ("preprocess good.txt -o taken", "not a corpus"),
    ("preprocess good.txt -o good.txt/c", "cannot be written"),
    ("preprocess good.txt -o c --vocabulary-size 3", "at least 4"),
    ("preprocess good.txt -o c --valid-fraction 2", "valid fraction"),
    ("preprocess good.txt -o c --unk-token <unk>", "--tokenizer whitespace"),
    ("preprocess good.txt -o c --workers 0", "--workers"),
    ("preprocess good.txt -o c --valid none.txt", "none.txt: no such file"),
    ("preprocess nltk:brown -o c", "nltk.downloader"),
    ("preprocess good.txt", "-o"),
    ("preprocess good.txt -o c --valid - --test -", "read only once"),
    ("preprocess good.txt -o c --valid empty.txt", "empty.txt: no words for the valid split"),
    ("train corpus -o corpus", "a corpus directory"),
    ("train corpus -o r --seed 99999999999", "seed must be from 0 to 4,294,967,295"),
    ("sample model.safetensors --threads 100000", "--threads"),
    ("sample model.safetensors --seed 99999999999999999999", "--seed"),
    ("sample model.safetensors --temperature 1e300", "temperature"),
    ("evaluate model.safetensors empty", "no text files in it"),
    ("train none -o r", "not a corpus directory"),
    ("train corpus -o r --batch-size 99999", "set --batch-size to at most"),
    ("train corpus -o r --bptt 0", "bptt must be at least 1"),
    ("train corpus -o r --learning-rate -1", "learning rate"),
    ("train corpus -o r --learning-rate nan", "learning rate"),
    ("train corpus -o r --dropout 1", "dropout"),
    ("train corpus -o r --hidden-size big", "whole number"),
    ("train corpus -o r --max-minutes 0", "--max-minutes"),
    ("train corpus -o r --resume", "nothing to resume"),
    ("train corpus -o taken --resume", "a run is saved at every evaluation"),
    ("sample model.safetensors --beam 3 -n 2", "leave out -n"),
    ("sample model.safetensors --length 3 --max-length 2", "--length is exact"),
    ("sample model.safetensors --include a --ban a", "'a' is both included and banned"),
    ("evaluate model.safetensors good.txt --split test", "--split is for a corpus"),
    ("sample model.safetensors --threads", "requires an argument. See"),
    ("train corpus -o r --resume --overwrite", "cannot be combined"),
    ("train corpus -o r --config config.toml", "unknown setting 'speed'"),
    ("train corpus -o r --config none.toml", "cannot be read"),
    ("train corpus -o r --preset huge", "huge"),
    ("train corpus -o good.txt/r", "cannot be written"),
    ("train corpus -o r --device tpu", "unknown device 'tpu'"),
    ("train corpus -o r --device cpu:", "unknown device 'cpu:'"),
    ("train corpus -o r --config deep.toml", "deep.toml: not valid TOML"),
    ("train header -o r", "train.npy: cannot be read"),
    ("train zip -o r", "train.npy: cannot be read"),
    ("info numbers", "the statistics of a split are malformed"),
    ("preprocess pydoc:__main__ -o c", "no installed Python package '__main__'"),
    ("preprocess good.txt -o loop", "leads nowhere"),
    (f"preprocess {'x' * 300}.txt -o c", "File name too long"),
    ("rescore model.safetensors good.txt --format moses --share nan", "not a finite number"),
    ("rescore model.safetensors good.txt --format srilm --share 1.5", "--share must be between 0 and 1"),
    ("sample none.safetensors", "no such model file"),
    ("sample corpus", "best.safetensors"),
    ("sample good.txt", "not a model file|not written by langmodel"),
    ("sample short.safetensors", "damaged|cut short"),
    ("sample newer.safetensors", "format 9; this version reads up to 7"),
    ("sample model.safetensors --temperature -1", "temperature"),
    ("sample model.safetensors --temperature nan", "temperature"),
    ("sample model.safetensors --top-k -1", "top-k"),
    ("sample model.safetensors --top-p 0", "top-p"),
    ("sample model.safetensors --min-length 9 --max-length 8", "max length"),
    ("sample model.safetensors -n -1", "-n"),
    ("score model.safetensors none.txt", "none.txt: no such file"),
    ("score model.safetensors latin1.txt", "not UTF-8"),
    ("score model.safetensors good.txt --base 3", "--base"),
    ("evaluate model.safetensors", "name the corpus directory"),
    ("evaluate model.safetensors corpus", "vocabulary is not the model's"),
    ("evaluate model.safetensors empty.txt", "no words to evaluate"),
    ("info taken", "best.safetensors"),
    ("info none", "no such model file"),
    ("dance", "dance"),
]


@pytest.mark.parametrize(("line", "message"), CASES, ids=[line for line, _ in CASES])
def test_bad_input_is_one_line_and_exit_two(place, capsys, line, message):
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert run(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("langmodel: error: ")
    assert "Traceback" not in captured.err
    assert any(part in captured.err for part in message.split("|")), captured.err
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_cuda_is_refused_and_auto_falls_back(place, capsys):
    assert run(["sample", "model.safetensors", "--device", "cuda"]) == 2
    assert "no usable CUDA GPU" in capsys.readouterr().err
    assert run(["sample", "model.safetensors", "--device", "auto", "-n", "1"]) == 0


SENSIBLE = [
    "sample model.safetensors --temperature 0",
    "sample model.safetensors --temperature 0 -n 1500",
    "sample model.safetensors -n 0 --include a",
    "sample model.safetensors --top-k 999999",
    "sample model.safetensors --top-p 1",
    "sample model.safetensors -n 0",
    "sample model.safetensors --prefix xyzzy",
    "train corpus -o r --bptt 99999 --epochs 1 --hidden-size 4 --embedding-size 4",
    "train corpus -o r --learning-rate 0 --epochs 1 --hidden-size 4 --embedding-size 4",
    "score model.safetensors empty.txt",
]


@pytest.mark.parametrize("line", SENSIBLE)
def test_odd_but_usable_input_is_used(place, line):
    assert run(line.split()) == 0


def test_a_run_of_which_only_the_older_state_is_left_is_not_overwritten(place, capsys):
    train = "train corpus -o r --epochs 2 --hidden-size 4 --embedding-size 4".split()
    assert run(train) == 0
    before = (place / "r" / "previous.safetensors").read_bytes()
    for name in ("best", "last"):
        (place / "r" / f"{name}.safetensors").unlink()
    assert run(train) == 2
    assert (place / "r" / "previous.safetensors").read_bytes() == before
    assert run([*train, "--resume"]) == 0


def test_a_model_whose_provenance_is_nonsense_is_described_all_the_same(place, capsys):
    lm = make_model()
    for provenance in ({"step": "x", "tokens": None}, {"best_loss": "x", "config": 3}):
        save_model(place / "odd.safetensors", saved_model(lm, provenance=provenance))
        assert run(["info", "odd.safetensors"]) == 0
        assert "unknown" in capsys.readouterr().out


def test_a_run_is_not_overwritten_unless_asked(place, capsys):
    train = "train corpus -o r --epochs 1 --hidden-size 4 --embedding-size 4".split()
    assert run(train) == 0
    before = (place / "r" / "best.safetensors").read_bytes()
    assert run(train) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert (place / "r" / "best.safetensors").read_bytes() == before
    assert run([*train, "--overwrite"]) == 0


def test_overwrite_keeps_the_old_run_until_the_new_settings_are_known_to_work(place, capsys):
    train = "train corpus -o r --epochs 1 --hidden-size 4 --embedding-size 4 --overwrite".split()
    assert run(train) == 0
    before = {file.name: file.read_bytes() for file in (place / "r").iterdir() if file.name != ".lock"}
    assert run([*train, "--batch-size", "999999"]) == 2
    assert {f.name: f.read_bytes() for f in (place / "r").iterdir() if f.name != ".lock"} == before


def test_a_resume_of_nothing_leaves_nothing_behind(place):
    assert run(["train", "corpus", "-o", "r", "--resume"]) == 2
    assert not (place / "r").exists()


def test_without_a_verb_the_help_is_shown(capsys):
    assert run([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_resume_refuses_other_settings_and_another_corpus(place, capsys):
    train = "train corpus -o r --epochs 2 --hidden-size 4 --embedding-size 4".split()
    assert run(train) == 0
    assert run([*train, "--resume", "--bptt", "9"]) == 2
    assert "--bptt 9 differs" in capsys.readouterr().err
    assert run(["train", "corpus", "-o", "r", "--resume", "--epochs", "1"]) == 2
    assert "the run has 2 already" in capsys.readouterr().err
    assert run(["train", "corpus", "-o", "r", "--resume", "--preset", "classic"]) == 2
    assert "differs from the run's" in capsys.readouterr().err
    assert run(["train", "corpus", "-o", "r", "--resume", "--hidden-size", "4"]) == 0
    assert run(["preprocess", "good.txt", "-o", "other", "--seed", "5"]) == 0
    assert run(["train", "other", "-o", "r", "--resume"]) == 2
    assert "not trained on" in capsys.readouterr().err
    assert run(["train", "corpus", "-o", "r", "--resume"]) == 0  # nothing left to do


def test_a_loss_that_explodes_is_one_line_and_exit_one(place, capsys):
    line = (
        "train corpus -o r --optimizer sgd --learning-rate 1e38 --clip 0 --hidden-size 4 --embedding-size 4"
    )
    assert run(line.split()) == 1
    assert "lower --learning-rate" in capsys.readouterr().err
