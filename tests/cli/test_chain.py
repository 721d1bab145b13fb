"""The whole chain through the command line, in a temporary folder."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import POEM

import langmodel
from langmodel.cli.main import run
from langmodel.storage import container
from langmodel.storage.model_file import load_model, save_model
from langmodel.text.corpus import open_corpus

TRAIN = [
    "--embedding-size",
    "12",
    "--hidden-size",
    "16",
    "--epochs",
    "3",
    "--batch-size",
    "4",
    "--threads",
    "1",
]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with a corpus and a finished run."""
    folder = tmp_path_factory.mktemp("work")
    (folder / "poem.txt").write_text(POEM * 20)
    assert run(["preprocess", str(folder / "poem.txt"), "-o", str(folder / "corpus")]) == 0
    assert run(["train", str(folder / "corpus"), "-o", str(folder / "run"), *TRAIN]) == 0
    return folder


def output_of(capsys, *arguments: object) -> str:
    assert run(list(map(str, arguments))) == 0
    return capsys.readouterr().out


def test_preprocess_tells_what_a_person_wants_to_know(tmp_path, capsys):
    (tmp_path / "poem.txt").write_text(POEM * 20)
    out = output_of(
        capsys, "preprocess", tmp_path / "poem.txt", "-o", tmp_path / "c", "--vocabulary-size", "9"
    )
    for wanted in ("documents", "sentences", "tokens", "UNK", "longest", "9 rows: 6 words of", "rarest word"):
        assert wanted in out
    assert output_of(capsys, "info", tmp_path / "c") == out


def test_a_run_directory_holds_what_was_promised(workplace):
    names = {file.name for file in (workplace / "run").iterdir()} - {".lock"}
    models = {"best.safetensors", "last.safetensors", "previous.safetensors"}
    assert names == models | {"metrics.jsonl", "run.json", "curves.svg"}
    rows = [json.loads(line) for line in (workplace / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["valid_perplexity"] == pytest.approx(math.exp(rows[-1]["valid_loss"]))
    settings = json.loads((workplace / "run" / "run.json").read_text())
    assert settings["config"]["epochs"] == 3
    assert settings["finished"] is True
    assert "<svg" in (workplace / "run" / "curves.svg").read_text()


def test_training_prints_the_untrained_loss_evaluations_and_samples(workplace, tmp_path, capsys):
    assert run(["train", str(workplace / "corpus"), "-o", str(tmp_path / "run"), *TRAIN]) == 0
    captured = capsys.readouterr()
    assert "untrained loss" in captured.err
    assert "ln V" in captured.err
    assert captured.err.count("validation perplexity") == 3
    assert captured.err.count("\n    ") == 6  # two sampled sentences each
    assert "best validation perplexity" in captured.out
    assert "\r" not in captured.err  # no bar where there is no terminal


def test_evaluate_finds_what_training_found(workplace, capsys):
    rows = (workplace / "run" / "metrics.jsonl").read_text().splitlines()
    best = min(json.loads(row)["valid_perplexity"] for row in rows)
    found = json.loads(output_of(capsys, "evaluate", workplace / "run", "--json", "--network-only"))
    assert set(found) == {
        "perplexity",
        "perplexity_excluding_oov",
        "log_prob",
        "tokens",
        "oov",
        "vocabulary_size",
        "bits_per_character",
        "model",
    }
    characters = open_corpus(workplace / "corpus").statistics["valid"].characters
    assert found["bits_per_character"] == pytest.approx(-found["log_prob"] / math.log(2) / characters)
    assert found["perplexity"] == pytest.approx(best, rel=0.2)  # 20 columns there, one here
    table = output_of(capsys, "evaluate", workplace / "run", workplace / "corpus", "--split", "test")
    assert "perplexity" in table


@pytest.mark.parametrize("context", ["document", "sentence"])
def test_a_text_file_evaluates_like_the_split_it_came_from(workplace, tmp_path, capsys, context):
    lm = langmodel.load(workplace / "run")
    corpus_dir = workplace / "corpus"
    split = json.loads(
        output_of(capsys, "evaluate", workplace / "run", corpus_dir, "--json", "--context", context)
    )
    ids = open_corpus(corpus_dir).split("valid").tolist()
    text = " ".join("\n" if id == 2 else lm.vocabulary.word_of(id) for id in ids)
    (tmp_path / "valid.txt").write_text(text)
    file = json.loads(
        output_of(
            capsys, "evaluate", workplace / "run", tmp_path / "valid.txt", "--json", "--context", context
        )
    )
    assert file["tokens"] == split["tokens"]
    assert file["perplexity"] == pytest.approx(split["perplexity"], rel=1e-5)


def test_sample_prints_a_sentence_a_line(workplace, capsys):
    out = output_of(capsys, "sample", workplace / "run", "-n", "7", "--seed", "1")
    assert len(out.splitlines()) == 7
    assert output_of(capsys, "sample", workplace / "run", "-n", "7", "--seed", "1") == out
    rows = output_of(
        capsys, "sample", workplace / "run", "--format", "jsonl", "--prefix", "The cat"
    ).splitlines()
    assert [json.loads(row)["words"][:2] for row in rows] == [["the", "cat"]] * 10


def test_score_has_a_row_for_every_line_blank_ones_too(workplace, tmp_path, capsys):
    (tmp_path / "in.txt").write_text("the cat sat .\n\nthe zebra sat .\n")
    header, *rows = output_of(capsys, "score", workplace / "run", tmp_path / "in.txt").splitlines()
    assert header == "sentence_id\tlog_prob_base_e\ttokens\toov\tperplexity\ttext"
    assert [row.split("\t")[2] for row in rows] == ["5", "1", "5"]
    assert [row.split("\t")[3] for row in rows] == ["0", "0", "1"]


def test_score_in_bits_per_word(workplace, tmp_path, capsys):
    (tmp_path / "in.txt").write_text("the cat\n")
    arguments = ["score", workplace / "run", tmp_path / "in.txt"]
    header, *rows = output_of(capsys, *arguments, "--per-word", "--base", "2").splitlines()
    assert header.split("\t") == [
        "sentence_id",
        "token_id",
        "word",
        "surprisal_base_2",
        "log_prob_base_2",
        "oov",
        "rank",
        "entropy_base_2",
        "input_word",
        "char_start",
        "char_end",
    ]
    assert [row.split("\t")[2] for row in rows] == ["the", "cat", "</s>"]
    bits = sum(float(row.split("\t")[4]) for row in rows)
    assert bits * math.log(2) == pytest.approx(
        langmodel.load(workplace / "run").score("the cat").log_prob, 1e-5
    )


def test_score_as_json_lines(workplace, tmp_path, capsys):
    (tmp_path / "in.txt").write_text("the zebra\n\n")
    out = output_of(
        capsys, "score", workplace / "run", tmp_path / "in.txt", "--format", "jsonl", "--base", "10"
    )
    first, second = map(json.loads, out.splitlines())
    assert list(first) == ["text", "log_prob", "tokens", "oov", "perplexity", "words"]
    assert [word["word"] for word in first["words"]] == ["the", "zebra", "</s>"]
    assert first["log_prob"] == pytest.approx(sum(word["log_prob"] for word in first["words"]))
    assert first["perplexity"] == pytest.approx(10 ** (-first["log_prob"] / 3))
    assert (second["text"], second["tokens"]) == ("", 1)


def test_info_describes_a_model(workplace, capsys):
    out = output_of(capsys, "info", workplace / "run")
    assert "LSTM, layers 16, embedding 12" in out
    assert "the run can, from last.safetensors" in out
    assert re.search(r"^settings .*epochs 3", out, re.MULTILINE)
    assert "learning_rate" not in out  # the default
    assert "can resume  yes" in output_of(capsys, "info", workplace / "run" / "last.safetensors")


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "langmodel", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Its exit code and what it said on stderr."""
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors.decode()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_resumed_run_has_the_same_bits(workplace, tmp_path, number, code):
    arguments = [
        "train",
        workplace / "corpus",
        *TRAIN[:-4],
        "--batch-size",
        1,
        "--bptt",
        2,
        "--threads",
        1,
        "--evaluate-every",
        150,
        "--epochs",
        2,
    ]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert finish(start(*arguments, "-o", whole))[0] == 0
    process = start(*arguments, "-o", cut)
    while not (cut / "metrics.jsonl").exists():
        time.sleep(0.01)
    process.send_signal(number)
    status, errors = finish(process)
    assert status == code, errors
    assert "go on with --resume" in errors
    again = start("train", workplace / "corpus", "-o", cut, "--resume", "--threads", 1)
    assert finish(again)[0] == 0
    for name in ("best.safetensors", "last.safetensors"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()

    def rows(folder: Path) -> list[dict[str, float]]:
        found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in row.items() if k not in ("seconds", "words_per_second")} for row in found]

    assert rows(whole) == rows(cut)


def test_a_damaged_last_save_is_passed_over_loudly(workplace, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(workplace / "run", folder)
    whole, older = ((folder / f"{name}.safetensors").read_bytes() for name in ("last", "previous"))
    (folder / "last.safetensors").write_bytes(whole[:1000] + b"?" + whole[1001:])
    assert run(["train", str(workplace / "corpus"), "-o", str(folder), "--resume", "--threads", "1"]) == 0
    errors = capsys.readouterr().err
    assert "WARNING" in errors
    assert "Going on from the older" in errors
    assert (folder / "last.safetensors").read_bytes() == whole  # the lost epoch came out the same
    assert (folder / "previous.safetensors").read_bytes() == older  # and the damaged file did not push it out
    assert (folder / "damaged.safetensors").read_bytes() != whole
    (folder / "last.safetensors").write_bytes(b"")
    (folder / "previous.safetensors").unlink()
    assert run(["train", str(workplace / "corpus"), "-o", str(folder), "--resume"]) == 2


def test_a_reader_that_leaves_early_is_no_error(workplace):
    with start("sample", workplace / "run", "-n", "1000000000", "--max-length", "3") as process:
        process.stdout.readline()
        process.stdout.close()
        assert re.fullmatch(rb"seed (\d+); --seed \1 draws the same again\n", process.stderr.read())


def test_a_corpus_that_is_replaced_is_told_of(tmp_path, capsys):
    (tmp_path / "t.txt").write_text("a b c\n" * 40)
    command = ["preprocess", str(tmp_path / "t.txt"), "-o", str(tmp_path / "c")]
    assert run(command) == 0
    first = capsys.readouterr().err
    assert "replaced an older" not in first
    assert run(command) == 0
    assert capsys.readouterr().err == first + "note: it replaced an older corpus\n"


def test_standard_input_is_a_source(tmp_path):
    arguments = ["preprocess", "-", "-o", str(tmp_path / "c"), "--sentences", "line"]
    process = subprocess.run(
        [sys.executable, "-m", "langmodel", *arguments],
        input=b"a b c\nd e\n",
        capture_output=True,
        check=True,
        env={**os.environ, "NLTK_DATA": "/nonexistent"},
    )
    assert b"vocabulary" in process.stdout
    assert b"2 passages or documents are too few" in process.stderr


def test_a_newer_last_save_is_refused_and_not_passed_over(workplace, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(workplace / "run", folder)
    monkeypatch.setattr(container, "FORMAT", 9)
    save_model(folder / "last.safetensors", load_model(folder / "last.safetensors"))
    monkeypatch.undo()
    newer = (folder / "last.safetensors").read_bytes()
    assert run(["train", str(workplace / "corpus"), "-o", str(folder), "--resume"]) == 2
    assert "format 9" in capsys.readouterr().err
    assert (folder / "last.safetensors").read_bytes() == newer


def test_a_model_without_training_state_is_not_resumed(workplace, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    shutil.copy(workplace / "run" / "best.safetensors", tmp_path / "run" / "last.safetensors")
    assert run(["train", str(workplace / "corpus"), "-o", str(tmp_path / "run"), "--resume"]) == 2
    assert "holds no training state" in capsys.readouterr().err


def test_a_corpus_of_other_words_is_refused_though_their_number_is_the_same(workplace, tmp_path, capsys):
    text = POEM.replace("cat", "\0").replace("dog", "cat").replace("\0", "dog")
    (tmp_path / "text").write_text(text * 40)
    other = str(tmp_path / "other")
    assert run(["preprocess", str(tmp_path / "text"), "-o", other, "--sentences", "line"]) == 0
    mine, theirs = open_corpus(workplace / "corpus"), open_corpus(tmp_path / "other")
    assert sorted(mine.vocabulary.words) == sorted(theirs.vocabulary.words)
    assert mine.vocabulary != theirs.vocabulary
    made = shutil.copytree(workplace / "run", tmp_path / "run")
    for command in (["train", other, "-o", str(made), "--resume"], ["evaluate", str(made), other]):
        capsys.readouterr()
        assert run(command) == 2
        assert capsys.readouterr().err.count("\n") == 1
