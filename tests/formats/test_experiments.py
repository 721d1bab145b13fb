"""BLiMP, SyntaxGym and tables of words: what is read, what comes out, and what is refused."""

import csv
import gzip
import io
import json
import math
import os
from pathlib import Path

import pytest
from conftest import make_model, saved_model

from langmodel.cli.main import run
from langmodel.errors import InputError
from langmodel.formats.stimulus_files import read_experiment
from langmodel.inference.language_model import load
from langmodel.inference.predictions import METRICS, Place, parse
from langmodel.storage.model_file import save_model

SHARED = Path(os.environ.get("LANGMODEL_STIMULI", "/nonexistent"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_model(Path("m.safetensors"), saved_model(make_model(words=tuple("abcde."))))
    return tmp_path


def table(capsys, command: str) -> list[dict[str, str]]:
    assert run(command.split()) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def bits(text: str) -> float:
    return -load("m.safetensors").score(text).log_prob / math.log(2)


def pair(good: str, bad: str, uid: str, field: str = "syntax") -> str:
    return json.dumps({"sentence_good": good, "sentence_bad": bad, "UID": uid, "field": field}) + "\n"


def suite(formulas: list[str], items: list[dict[str, list[str]]], metric: str = "sum") -> str:
    return json.dumps(
        {
            "meta": {"name": "x", "metric": metric},
            "predictions": [{"type": "formula", "formula": formula} for formula in formulas],
            "items": [
                {
                    "item_number": number,
                    "conditions": [
                        {
                            "condition_name": name,
                            "regions": [
                                {"region_number": n, "content": content}
                                for n, content in enumerate(regions, start=1)
                            ],
                        }
                        for name, regions in conditions.items()
                    ],
                }
                for number, conditions in enumerate(items, start=1)
            ],
        },
        indent=1,
    )


def test_blimp_by_paradigm_by_field_and_in_all(place, capsys):
    (place / "x.jsonl").write_text(pair("a b", "b a", "x") + "\n" + pair("c d zz", "d c", "x"))
    (place / "y.jsonl").write_text(pair("a", "a", "y", "semantics"))
    rows = table(capsys, "stimuli m.safetensors x.jsonl y.jsonl")
    assert [(row["paradigm"], row["field"], row["items"]) for row in rows] == [
        ("x", "syntax", "2"),
        ("y", "semantics", "1"),
        ("all", "syntax", "2"),
        ("all", "semantics", "1"),
        ("all", "all", "3"),
    ]
    right = (bits("a b") < bits("b a")) + (bits("c d zz") < bits("d c"))
    assert float(rows[0]["accuracy"]) == pytest.approx(right / 2)
    assert (rows[1]["ties"], rows[1]["accuracy"]) == ("1", "0.0000")
    assert rows[0]["with_oov"] == "1" and rows[0]["pooled_over"] == "items"
    assert float(rows[-1]["low_95"]) <= float(rows[-1]["accuracy"]) <= float(rows[-1]["high_95"])
    assert table(capsys, "stimuli m.safetensors x.jsonl --exclude-oov")[0]["items"] == "1"
    regions = table(capsys, "stimuli m.safetensors x.jsonl --regions")
    assert [row["condition"] for row in regions[:4]] == ["good", "good", "bad", "bad"]


def test_an_open_vocabulary_makes_an_unknown_word_cost_its_share(place, capsys):
    (place / "x.jsonl").write_text(pair("a zz", "a b", "x"))
    plain = table(capsys, "stimuli m.safetensors x.jsonl --regions")
    shared = table(capsys, "stimuli m.safetensors x.jsonl --regions --open-vocabulary 106")
    difference = float(shared[0]["surprisal_base_2"]) - float(plain[0]["surprisal_base_2"])
    assert difference == pytest.approx(math.log2(100), abs=1e-5)
    assert shared[2:] == plain[2:]


def test_syntaxgym_by_prediction_and_suite(place, capsys):
    items = [
        {"p": ["a", "", "b c", "."], "q": ["a", "d", "b c", "."]},
        {"p": ["b", "", "e", "."], "q": ["b", "d", "e", "."]},
    ]
    (place / "one.json").write_text(suite(["(3;%p%) < (3;%q%)", "[(3;%p%) + (4;%p%)] > (2;%q%)"], items))
    (place / "two.json").write_text(suite(["(*;%p%) < (*;%q%)"], items[:1]))
    rows = table(capsys, "stimuli m.safetensors one.json two.json")
    assert [(row["suite"], row["prediction"]) for row in rows] == [
        ("one", "1"),
        ("one", "2"),
        ("one", "all"),
        ("two", "1"),
        ("two", "all"),
        ("all", "all"),
    ]
    assert rows[-1]["pooled_over"] == "suites" and rows[-1]["low_95"] == ""
    mean = (float(rows[2]["accuracy"]) + float(rows[4]["accuracy"])) / 2
    assert float(rows[-1]["accuracy"]) == pytest.approx(mean, abs=1e-4)

    def region(text: list[str], number: int) -> float:
        found = load("m.safetensors").score(" ".join(part for part in text if part)).words
        counts = [len(part.split()) for part in text]
        start = sum(counts[: number - 1])
        return sum(word.surprisal for word in found[start : start + counts[number - 1]])

    expected = [region(item["p"], 3) < region(item["q"], 3) for item in items]
    assert float(rows[0]["accuracy"]) == pytest.approx(sum(expected) / 2)


def test_empty_regions_keep_their_number_in_json_and_in_the_long_csv(place, capsys):
    (place / "s.json").write_text(suite(["(3;%p%) > 0"], [{"p": ["a", "", "b", ""]}]))
    rows = table(capsys, "stimuli m.safetensors s.json --regions")
    assert [(row["region"], row["text"], row["words"]) for row in rows] == [
        ("1", "a", "1"),
        ("2", "", "0"),
        ("3", "b", "1"),
        ("4", "", "0"),
        ("5", "</s>", "1"),
    ]
    (place / "s.csv").write_text(
        "item_number,condition_name,region_number,region_name,content\n"
        "1,p,1,S,a\n1,p,3,V,b\n1,p,2,N,\n1,p,4,E,\n"
    )
    assert table(capsys, "stimuli m.safetensors s.csv") == rows
    assert sum(float(row["surprisal_base_2"]) for row in rows) == pytest.approx(bits("a b"), abs=1e-4)


@pytest.mark.parametrize(
    ("formula", "truth"),
    [
        ("(1;%a%) < (2;%a%)", True),
        ("(1;%a%)>(2;%a%)", False),
        ("(1;%a%) = 1", True),
        ("(2;%a%) - (1;%a%) - 1 = 0", True),
        ("2 * (1;%a%) + 1 = 3", True),
        ("1 + 2 * (2;%a%) = 5", True),
        ("[(1;%a%) < 0] | [(2;%a%) > 0] & [(1;%a%) > 0]", True),
        ("((1;%a%) > 5) & (1 > 5) | 1 > 0", True),
        ("(*;%b%) = 7", True),
        ("- (1;%a%) < 0", True),
    ],
)
def test_formulas(formula, truth):
    values = {Place(1, "a"): 1.0, Place(2, "a"): 2.0, Place(None, "b"): 7.0}
    assert parse(formula).holds(values.__getitem__) is truth


def test_brackets_go_fifty_deep():
    assert parse("[" * 50 + "1 < 2" + "]" * 50).holds({}.__getitem__)


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("(1;%a%)", "nothing is compared"),
        ("(1;%a%) <", "expected a region"),
        ("(1;%a%) < 2)", "not understood"),
        ("[(1;%a%) < 2", "expected|missing"),
        ("[(1;%a%) < 2)", "is missing"),
        ("1 < 2 + (3 < 4)", "a comparison"),
        ("1 & 2", "a number where"),
        ("a < b", "expected a region"),
        ("< 3", "where a value is expected"),
        ("[" * 51 + "1" + "]" * 51, "over 50 brackets inside"),
    ],
)
def test_what_is_no_formula_is_named_with_its_place(formula, said):
    with pytest.raises(InputError, match=said):
        parse(formula)


def test_metrics_by_hand():
    assert [metric([1.0, 2.0, 6.0]) for metric in METRICS.values()] == [9.0, 3.0, 2.0]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", '{"sentence_good": "a"}\n', "no text field 'sentence_bad'"),
        ("x.jsonl", pair("a", "b", "x") + "{\n", "line 2 is not JSON"),
        ("s.json", suite(["(3;%p%) < 1"], [{"p": ["a"]}]), "has 1 regions"),
        ("s.json", suite(["(1;%q%) < 1"], [{"p": ["a"]}]), "no such condition"),
        ("s.json", suite(["(1;%p%)"], [{"p": ["a"]}]), "nothing is compared"),
        ("s.json", suite([], []), "no stimuli"),
        ("s.json", suite(["1 < 2"], [{"p": ["", ""]}]), "no words in the regions"),
        ("s.json", suite([], [{"p": ["a"]}], metric="max"), "metric 'max'"),
        ("s.json", '{"items": 3}', "not a SyntaxGym suite"),
        ("s.json", '{\n"items": [', "is not JSON"),
        ("s.csv", "item_number,condition_name,region_number,content\n1,p,x,a\n", "not a number from 1"),
        ("s.csv", "item_number,condition_name,region_number,content\n1,p,1,a\n1,p,1,b\n", "twice"),
    ],
)
def test_bad_files_are_one_line(place, capsys, name, content, said):
    (place / name).write_text(content)
    assert run(["stimuli", "m.safetensors", name]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("x.jsonl s.json", "files of 2 formats"),
        ("s.csv s.csv", "several files"),
        ("s.csv --exclude-oov", "--exclude-oov is for accuracies"),
        ("x.jsonl --exclude-oov", "no pair without"),
        ("s.csv --format words", "no column of words"),
        ("x.jsonl --format words --expect a", "takes one file"),
    ],
)
def test_options_that_do_not_go_together(place, capsys, options, said):
    (place / "x.jsonl").write_text(pair("zz", "yy", "x"))
    (place / "s.json").write_text(suite(["1 < 2"], [{"p": ["a"]}]))
    (place / "s.csv").write_text("item,condition,regions\n1,x,a\n")
    assert run(["stimuli", "m.safetensors", *options.split()]) == 2
    assert said in capsys.readouterr().err


def test_natural_stories_rows_get_surprisal_and_sum_to_their_sentences(place, capsys):
    words = "a b, c. d 'e a.".split()
    lines = [f"{word}\t{zone}\t1" for zone, word in enumerate(words, start=1)]
    (place / "w.tsv").write_text("\n".join(["word\tzone\titem", *lines, "e\t1\t2"]) + "\n")
    assert run("stimuli m.safetensors w.tsv --format words --context sentence".split()) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["word"] for row in rows] == [*words, "e"]
    lm = load("m.safetensors")
    score = lm.score("a b, c. d 'e a.")
    own = [float(row["surprisal_base_2"]) for row in rows[:6]]
    without_end = (-score.log_prob + score.words[-1].log_prob) / math.log(2)
    assert sum(own) == pytest.approx(without_end, abs=1e-4)
    assert float(rows[6]["surprisal_base_2"]) == pytest.approx(lm.score("e").words[0].surprisal, abs=2e-6)


def test_provos_repeated_rows_are_of_one_word_and_its_sentences_are_kept(place, capsys):
    (place / "w.csv").write_text(
        "Text_ID,Sentence_Number,Word_Number,Word,Reader\n1,1,1,a,x\n1,1,1,a,y\n1,1,2,b,x\n1,2,3,c,x\n"
    )
    rows = table(capsys, "stimuli m.safetensors w.csv --format words --context sentence")
    assert rows[0]["surprisal_base_2"] == rows[1]["surprisal_base_2"]
    third = load("m.safetensors").score("c").words[0].surprisal
    assert float(rows[3]["surprisal_base_2"]) == pytest.approx(third, abs=2e-6)


@pytest.mark.skipif(not SHARED.is_dir(), reason="LANGMODEL_STIMULI names no folder of blimp/ and syntaxgym/")
def test_the_real_files_are_read_by_their_content():
    for file in sorted(SHARED.glob("*/*.gz")):
        experiment = read_experiment(str(file))
        assert experiment.kind == {"b": "blimp", "s": "syntaxgym"}[file.parent.name[0]] + (
            "-csv" if file.name.endswith(".csv.gz") else ""
        )
        assert gzip.decompress(file.read_bytes()) and experiment.stimuli


def test_control_characters_of_a_file_do_not_reach_the_terminal(place, capsys):
    (place / "s.csv").write_text("item,condition,regions\n\x1b[2J,a,b|c\n")
    (place / "w.tsv").write_text("word\tzone\titem\na\t1\t\x1b[2J\n")
    (place / "x.jsonl").write_text(pair("a", "b", "\x1b[2J"))
    for command in ("s.csv", "w.tsv --format words", "x.jsonl"):
        assert run(f"stimuli m.safetensors {command}".split()) == 0
        assert "\x1b" not in capsys.readouterr().out
