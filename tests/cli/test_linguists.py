"""Stimuli, next words and comparable perplexities, from the command line."""

import csv
import io
import itertools
import json
import math
import sys

import pytest
from conftest import make_model, out

from langmodel.cli.main import run
from langmodel.inference.language_model import LanguageModel, load
from langmodel.inference.stimuli import joined
from langmodel.text.pipeline import Pipeline

STIMULI = """item,condition,regions,note
1,good,a|b c|d,x
1,bad,a|b c|e,x
2,good,"b, zzz|a",x
2,bad,c|a,x
"""


@pytest.fixture(autouse=True)
def stimuli_file(place):
    (place / "s.csv").write_text(STIMULI)


def test_regions_add_up_to_the_sentence_and_spill_over(place, capsys):
    rows = list(csv.DictReader(io.StringIO(out(capsys, "stimuli m.safetensors s.csv --spillover 1"))))
    assert [row["text"] for row in rows[:4]] == ["a", "b c", "d", "</s>"]
    assert [row["words"] for row in rows[:4]] == ["1", "2", "1", "1"]
    lm = load("m.safetensors")
    for item, condition, text in [("1", "good", "a b c d"), ("2", "good", "b, zzz a")]:
        own = [row for row in rows if (row["item"], row["condition"]) == (item, condition)]
        total = sum(float(row["surprisal_base_2"]) for row in own)
        assert total == pytest.approx(-lm.score(text).log_prob / math.log(2), abs=1e-4)
        for row, after in itertools.pairwise(own):
            assert row["spillover_1"] == after["surprisal_base_2"]
        assert own[-1]["spillover_1"] == ""
    assert [row["oov"] for row in rows if row["text"] == "b, zzz"] == ["2"]


def test_a_line_break_in_a_cell_stands_between_words(place, capsys):
    (place / "s.csv").write_text('item,condition,regions\n1,x,"a b|c\nd"\n')
    rows = list(csv.DictReader(io.StringIO(out(capsys, "stimuli m.safetensors s.csv"))))
    assert [row["words"] for row in rows] == ["2", "2", "1"]
    total = sum(float(row["surprisal_base_2"]) for row in rows)
    assert total == pytest.approx(-load("m.safetensors").score("a b c d").log_prob / math.log(2), abs=1e-4)


def test_the_expected_condition_is_compared_item_by_item(place, capsys):
    lm = load("m.safetensors")
    pairs = [("a b c d", "a b c e"), ("b, zzz a", "c a")]
    better = sum(lm.score(good).log_prob > lm.score(bad).log_prob for good, bad in pairs)
    printed = out(capsys, "stimuli m.safetensors s.csv --expect good")
    assert f"good over bad  {better / 2:.1%} of 2 items" in printed
    first_region = "stimuli m.safetensors s.csv --expect good --at 1"
    assert "region 1" in out(capsys, first_region)


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("item,condition,text\n1,a,b\n", "", "no column regions"),
        ("item,condition,regions\n1,a,||\n", "", "s.csv:2: no words in the regions"),
        ("item,condition,regions\n1,a,\n", "", "no words in the regions"),
        ("item,condition,regions\n1,a,b,c\n", "", "quote a cell with commas"),
        ("item,condition,regions\n1,a\n", "", "s.csv:2: 2 cells where the first row has 3"),
        ("item,condition,regions\n1,a,b\n1,a,c\n", "", "has condition 'a' twice"),
        ("item,condition,regions\n", "", "no stimuli"),
        ("", "", "no column item, condition, regions"),
        ('item,condition,regions\n1,a,"b|c\n2,a,d\n', "", "a quote may be open"),
        ("regions,item,condition\na|b,1\n", "", "2 cells where the first row has 3"),
        (STIMULI, " --at 1", "--at needs --expect"),
        (STIMULI, " --expect fine", "no condition 'fine'"),
        (STIMULI, " --expect good --at 9", "--at 9, but a sentence has 2"),
        ("item,condition,regions\n1,a,b\n2,c,b\n", " --expect a", "no item has 'a' and another"),
    ],
)
def test_bad_stimuli_are_one_line(place, capsys, text, options, reason):
    (place / "s.csv").write_text(text)
    assert run(f"stimuli m.safetensors s.csv{options}".split()) == 2
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


@pytest.mark.parametrize(
    "text",
    [
        "Item; Condition ;REGIONS\n1;good;a|b\n1;bad;a|c\n;;\n",
        "note\titem\tcondition\tregions\nx\t1\tgood\ta|b\ny\t1\tbad\ta|c\n",
    ],
)
def test_columns_may_stand_between_semicolons_or_tabs(place, capsys, text):
    (place / "s.csv").write_text("item,condition,regions\n1,good,a|b\n1,bad,a|c\n")
    expected = out(capsys, "stimuli m.safetensors s.csv")
    (place / "s.csv").write_text(text)
    assert out(capsys, "stimuli m.safetensors s.csv") == expected


def test_equal_sentences_and_unknown_words_are_told(place, capsys):
    (place / "s.csv").write_text("item,condition,regions\n1,x,a|zzz\n1,y,a|yyy\n2,x,a\n2,y,b\n")
    assert "of 2 items, 95 % interval 9.5% to 90.5% (1 equal, 1 with unknown words)" in out(
        capsys, "stimuli m.safetensors s.csv --expect x"
    )


@pytest.mark.parametrize(
    ("regions", "text", "starts"),
    [
        (("The keys", "are"), "The keys are", [0, 9]),
        (("我们今天", "去", "公园。"), "我们今天去公园。", [0, 4, 5]),
        (("我用", "Python", "写"), "我用Python写", [0, 2, 8]),
    ],
)
def test_regions_of_scripts_without_blanks_get_none(regions, text, starts):
    assert joined(regions, list) == (text, starts)
    assert joined(regions, str.split)[0] == " ".join(regions)  # words that blanks alone part stay apart


def test_next_prints_the_likeliest_words_after_each_line(place, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a b\na zzz\n")))
    lines = out(capsys, "next m.safetensors -k 2").splitlines()
    expected = load("m.safetensors").next_words("a b", 2)
    assert lines[:2] == [f"{word.probability:8.4f}  {word.word}" for word in expected]
    assert lines[2:4] == ["", "(unknown: zzz)"]
    assert len(lines) == 6


def test_next_refuses_what_is_no_text(place, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\n\xff\n")))
    assert run(["next", "m.safetensors"]) == 2
    assert "standard input: line 2 is not UTF-8" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", None)
    assert run(["next", "m.safetensors"]) == 2
    assert "standard input is closed" in capsys.readouterr().err


def test_an_open_vocabulary_shares_out_what_unk_has(place, capsys):
    (place / "t.txt").write_text("a b zzz\nyyy a\n")
    lm = load("m.safetensors")
    log_prob = sum(lm.score(text).log_prob for text in ("a b zzz", "yyy a"))
    row = json.loads(out(capsys, "evaluate m.safetensors t.txt --open-vocabulary 105 --json"))
    assert row["open_vocabulary_perplexity"] == pytest.approx(math.exp((-log_prob + 2 * math.log(100)) / 7))
    bits = (-log_prob + 2 * math.log(100)) / math.log(2)
    assert row["bits_per_character"] == pytest.approx(bits / len("a b zzz\nyyy a\n"))
    assert "bits_per_character" not in json.loads(out(capsys, "evaluate m.safetensors t.txt --json"))
    assert "not comparable" in out(capsys, "evaluate m.safetensors t.txt")
    table = out(capsys, "evaluate m.safetensors t.txt --open-vocabulary 105")
    assert "open vocabulary" in table
    assert "(14 with line ends, open vocabulary)" in table
    assert run("evaluate m.safetensors t.txt --open-vocabulary 5".split()) == 2
    assert "must have more than the 5 known" in capsys.readouterr().err


def test_a_model_of_one_word_does_not_win_an_open_vocabulary(capsys):
    few, many = make_model(words=("a",)), make_model(words=("a", "b", "c", "d", "e"))
    lines = ["a b c", "d e b", "c c e"]
    found = [lm.evaluate_lines(lines) for lm in (few, many)]
    opened = [
        f.open_vocabulary(len(lm.vocabulary.words), 50) for f, lm in zip(found, (few, many), strict=True)
    ]
    assert found[0].perplexity < opened[0]
    assert opened[1] < opened[0]


@pytest.mark.parametrize("name", ["tsv", "jsonl", "kenlm", "srilm", "lm-zoo", "neural-complexity"])
def test_evaluate_writes_what_score_writes_of_the_lines_with_words(place, capsys, name):
    (place / "t.txt").write_text("a b\n\nc zzz\n")
    (place / "full.txt").write_text("a b\nc zzz\n")
    evaluated = out(capsys, f"evaluate m.safetensors t.txt --format {name}")
    more = {"srilm": " --srilm-debug 2", "tsv": " --per-word"}.get(name, "")
    scored = out(capsys, f"score m.safetensors full.txt --format {name}{more}")
    assert evaluated.replace("t.txt", "full.txt") == scored
    assert run(f"evaluate m.safetensors corpus --format {name}".split()) == 2


def test_unknown_words_of_a_prefix_are_told(place, capsys):
    assert run(["sample", "m.safetensors", "-n", "1", "--seed", "1", "--prefix", "a zzz yyy"]) == 0
    captured = capsys.readouterr()
    assert captured.err == "note: unknown in the prefix, so read as UNK: zzz, yyy\n"
    assert captured.out.startswith("a zzz yyy")


def test_a_word_of_a_prefix_is_unknown_also_if_its_parts_are_not(place, capsys):
    lm = make_model(words=("no", ".", "there"))
    nltk = LanguageModel(lm.network, lm.vocabulary, Pipeline(tokenizer="nltk", sentences="line"))
    words = nltk.pipeline.tokenize("no. there never")
    assert words == ["no.", "there", "never"]
    assert nltk.unknown_words(words) == ["no.", "never"]
