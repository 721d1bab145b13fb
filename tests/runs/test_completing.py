"""What a finished run adds to its network."""

import json

import pytest
from conftest import out

from langmodel.cli.main import run
from langmodel.inference.language_model import load
from langmodel.runs import completing
from langmodel.storage.model_file import load_model, save_model

SMALL = "--hidden-size 4 --embedding-size 4 --epochs 1 --batch-size 2 --threads 1"


def test_a_finished_run_has_ngrams_and_the_same_seed_gives_the_same_bytes(tmp_path, poem_corpus, capsys):
    for name in ("r", "s"):
        assert run(f"train {poem_corpus.path} -o {tmp_path / name} {SMALL}".split()) == 0
    first, second = ((tmp_path / name / "best.safetensors").read_bytes() for name in ("r", "s"))
    assert first == second
    lm = load(tmp_path / "r")
    assert lm.kind.startswith("network and ")
    assert "network and " in repr(lm) or "-grams" in repr(lm)
    mixed = lm.evaluate_ids(poem_corpus.split("valid"))
    alone = lm.network_only().evaluate_ids(poem_corpus.split("valid"))
    assert mixed.perplexity < alone.perplexity
    shown = out(capsys, f"info {tmp_path / 'r'}")
    assert "mixed with the network word by word" in shown
    assert f"model               {lm.kind}" in out(capsys, f"evaluate {tmp_path / 'r'}")


def test_a_run_that_ended_before_its_ngrams_gets_them_when_it_is_resumed(tmp_path, poem_corpus, capsys):
    directory = tmp_path / "r"
    assert run(f"train {poem_corpus.path} -o {directory} {SMALL}".split()) == 0
    whole = (directory / "best.safetensors").read_bytes()
    load(directory, network_only=True).save(directory / "best.safetensors")
    capsys.readouterr()
    assert run(f"train {poem_corpus.path} -o {directory} --resume".split()) == 0
    said = capsys.readouterr().out
    assert "finished" in said
    assert "mixed with" in said
    assert "compared with simple models" not in said
    assert load(directory).score("the cat").log_prob == load_from(whole, tmp_path).score("the cat").log_prob
    assert run(f"train {poem_corpus.path} -o {directory} --resume".split()) == 0
    assert "mixed with" not in capsys.readouterr().out


def load_from(data: bytes, place):
    (place / "whole.safetensors").write_bytes(data)
    return load(place / "whole.safetensors")


def test_a_run_that_the_clock_stopped_has_ngrams_too(tmp_path, poem_corpus, capsys):
    directory = tmp_path / "r"
    settings = SMALL.replace("--epochs 1", "--epochs 90000")
    assert run(f"train {poem_corpus.path} -o {directory} {settings} --max-minutes 0.02".split()) == 0
    said = capsys.readouterr().out
    assert "mixed with" in said
    assert "compared with simple models" not in said
    assert load(directory).ngrams is not None


@pytest.mark.parametrize(
    "values", [{}, {"config": 5}, {"config": {"ngrams": "5"}}, {"config": {}, "arpa": [1]}]
)
def test_a_damaged_run_json_is_one_line_or_no_matter(tmp_path, poem_corpus, capsys, values):
    directory = tmp_path / "r"
    assert run(f"train {poem_corpus.path} -o {directory} {SMALL}".split()) == 0
    (directory / "run.json").write_text(json.dumps({"finished": True, **values}))
    capsys.readouterr()
    code = run(f"train {poem_corpus.path} -o {directory} --resume --threads 1".split())
    assert code in (0, 2)
    assert capsys.readouterr().err.count("\n") == (1 if code else 0)


def test_a_longer_run_mixes_its_better_network_anew(tmp_path, poem_corpus):
    directory = tmp_path / "r"
    assert run(f"train {poem_corpus.path} -o {directory} {SMALL} --schedule constant".split()) == 0
    before = load_model(directory / "best.safetensors")
    assert run(f"train {poem_corpus.path} -o {directory} --resume --epochs 2".split()) == 0
    after = load_model(directory / "best.safetensors")
    assert before.ngrams is not None
    assert after.ngrams is not None
    assert after.provenance["step"] > before.provenance["step"]


def test_too_much_text_is_said_and_an_explicit_wish_refused(tmp_path, poem_corpus, capsys, monkeypatch):
    monkeypatch.setattr(completing, "MAX_TRAIN_TOKENS", 10)
    assert run(f"train {poem_corpus.path} -o {tmp_path / 'r'} {SMALL} --ngrams 5".split()) == 2
    assert "give --ngrams 0" in capsys.readouterr().err
    assert run(f"train {poem_corpus.path} -o {tmp_path / 'r'} {SMALL}".split()) == 0
    assert "no n-grams, and no comparison with them: over 10 training tokens" in capsys.readouterr().out
    assert load(tmp_path / "r").ngrams is None


@pytest.mark.parametrize(
    "damage",
    [
        {"order": 12},
        {"order": "3"},
        {"order": 2},
        {},
        [],
        3,
    ],
)
def test_a_file_whose_ngrams_do_not_fit_is_refused(tmp_path, poem_corpus, damage, capsys, monkeypatch):
    from langmodel.storage import model_file

    assert run(f"train {poem_corpus.path} -o {tmp_path / 'r'} {SMALL}".split()) == 0
    saved = load_model(tmp_path / "r" / "best.safetensors")
    real = model_file.pack
    monkeypatch.setattr(
        model_file, "pack", lambda tensors, document: real(tensors, document | {"ngrams": damage})
    )
    save_model(tmp_path / "bad.safetensors", saved)
    capsys.readouterr()
    assert run(f"info {tmp_path / 'bad.safetensors'}".split()) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "bad.safetensors" in error
