"""What a person is told when something is mistyped, odd, or better done otherwise."""

from dataclasses import replace

import pytest
from conftest import make_model, out, saved_model

from langmodel.cli.main import run
from langmodel.storage.model_file import save_model
from langmodel.text.preprocess import PreprocessConfig, preprocess


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("samle", "no such command 'samle'. Did you mean sample?"),
        ("train c -o r --preset laptpo", "Did you mean laptop?"),
        ("preprocess t -o c --tokenizer-nltk", "No such option"),
        ("sample m --unk rejct", "Did you mean reject?"),
    ],
)
def test_what_is_mistyped_is_answered_with_the_nearest(command, said, capsys):
    assert run(command.split()) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_curly_and_straight_apostrophes_are_explained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    lm = make_model(words=("it", "’", "s", "a", "cat"))
    lm.pipeline = replace(lm.pipeline, tokenizer="nltk", case="keep")
    save_model(tmp_path / "m.safetensors", saved_model(lm))
    (tmp_path / "t.txt").write_text("it's a cat\nit's a cat\n", encoding="utf-8")
    assert run("score m.safetensors t.txt".split()) == 0
    assert capsys.readouterr().err.count("this model's text has curly (’) apostrophes") == 1
    assert run("sample m.safetensors --seed 1 -n 1 --prefix it's".split()) == 0
    assert "curly (’) apostrophes" in capsys.readouterr().err
    (tmp_path / "t.txt").write_text("it’s a cat\n", encoding="utf-8")
    assert run("score m.safetensors t.txt".split()) == 0
    assert capsys.readouterr().err == ""


WRAPPED = (
    "the quick brown fox jumps over the lazy dog and then goes on for a while\n"
    "until it comes to the end of the garden where it lies down in the sun to\n"
    "sleep. a second fox that had seen all of this comes out of the wood too,\n"
) * 30


def test_wrapped_lines_are_warned_of_once_and_split_by_the_model_s_own_rule(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.txt").write_text(WRAPPED)
    corpus = preprocess(["t.txt"], tmp_path / "c", PreprocessConfig(valid_fraction=0, test_fraction=0))
    lm = make_model(words=corpus.vocabulary.words)
    lm.pipeline = corpus.pipeline
    save_model(tmp_path / "m.safetensors", saved_model(lm))
    assert run("score m.safetensors t.txt".split()) == 0
    assert capsys.readouterr().err.count("the lines look wrapped") == 1
    assert run("evaluate m.safetensors t.txt".split()) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert f"tokens              {corpus.statistics['train'].targets:,} (END counted)" in captured.out
    rows = out(capsys, "score m.safetensors t.txt --sentences punkt").splitlines()
    assert rows[0].split("\t")[5:9] == ["line", "char_start", "end_line", "char_end"]
    assert len(rows) == 1 + corpus.statistics["train"].sentences
    assert rows[1].split("\t")[5:9] == ["1", "0", "3", "6"]  # the sentence goes on over two line ends


def test_a_table_is_scored_by_its_column(place, capsys):
    (place / "t.csv").write_text("id;review\n1;a b\n2;c\n")
    rows = out(capsys, "score m.safetensors t.csv --column review --no-header").splitlines()
    assert [row.split("\t")[-1] for row in rows] == ["a b", "c"]
    assert run("score m.safetensors t.csv".split()) == 2
    assert "choose --column from id" in capsys.readouterr().err


def test_several_paths_are_described_and_a_corpus_is_examined(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = "the cat sat on the mat today .\n" * 30 + "".join(
        f"w{n} and cafÃ© x{n} y{n} z .\n" for n in range(40)
    )
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    assert run("preprocess t.txt -o c --tokenizer whitespace --sentences line --min-count 1".split()) == 0
    save_model(tmp_path / "m.safetensors", saved_model(make_model()))
    capsys.readouterr()
    both = out(capsys, "info c m.safetensors")
    assert "vocabulary   " in both
    assert "network     " in both
    monkeypatch.setattr("langmodel.runs.doctor.PROBE_SECONDS", 0.1)
    checked = out(capsys, "info c --check")
    assert "unknown words by --vocabulary-size" in checked
    assert "! " in checked
    assert "are duplicates; remove copies" in checked
    assert "also occur in train" in checked
    assert "recurs" in checked
    assert "a wrong encoding" in checked
    assert "minutes per epoch" in checked
    assert run("info m.safetensors --check".split()) == 2


def test_every_option_of_train_has_its_section_in_the_help(capsys):
    from langmodel.cli.train import GROUPS, command

    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert set(names) == {p.name for p in command.params if p.name not in ("corpus_dir", "resume_auto")}
    shown = out(capsys, "train --help")
    assert (
        shown.index("Presets, with test perplexities")
        < shown.index("Run:")
        < shown.index("Model:")
        < shown.index("Optimisation:")
    )
