"""CONTRIBUTING.md says how to add each kind of part: all is done here, in one copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.extensions import EXTENSIONS

import langmodel

pytestmark = pytest.mark.xdist_group("recipes")

ROOT = Path(__file__).parent.parent.parent

MOST_FILES, MOST_LINES = 2, 25
"""Of the package, that an extension may touch and add."""

TEXT = "The cat sat, and the dog ran.\nA bird sang!\n" * 30

RUN_ALL = """
import sys
from langmodel.cli.main import run
sys.stderr = sys.stdout
for line in sys.argv[1:]:
    if line.startswith("python:"):
        exec(line.removeprefix("python:"))
        print(0, end="\\0")
    else:
        print(run(line.split()), end="\\0")
"""


def call(directory: Path, *command: str) -> str:
    """What Python prints in the copy, on both streams."""
    result = subprocess.run(
        [sys.executable, *command],
        cwd=directory,
        env={
            **os.environ,
            "PYTHONPATH": str(directory),
            "OMP_NUM_THREADS": "1",
            "LANGMODEL_VERSE": "The cat sat.\nA bird sang!",
        },
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The package with every extension, beside texts, a corpus and a model that were made without them."""
    directory = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "langmodel", directory / "langmodel", ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "text.txt").write_text(TEXT)
    (directory / "text.paragraphs").write_text(TEXT)
    (directory / "commented.txt").write_text("# a remark\n" + TEXT)
    (directory / "labelled.csv").write_text(
        "label,text\n" + "".join(f"good,the cat sat {n}\nbad,a dog ran {n}\n" for n in range(20))
    )
    langmodel.preprocess(
        directory / "text.txt", directory / "corpus", tokenizer="whitespace", sentences="line"
    )
    langmodel.train(
        directory / "corpus",
        directory / "run",
        epochs=1,
        hidden_size=8,
        embedding_size=8,
        batch_size=2,
        compare=False,
    )
    for extension in EXTENSIONS.values():
        for edit in extension.edits:
            edit.apply(directory / "langmodel")
    return directory


@pytest.fixture(scope="module")
def printed(copy):
    """What each command of each extension prints, on both streams, and last its exit code."""
    commands = [line for extension in EXTENSIONS.values() for line in extension.commands]
    outputs = iter(call(copy, "-c", RUN_ALL, *commands).split("\0"))
    return {name: [next(outputs) for _ in extension.commands] for name, extension in EXTENSIONS.items()}


def test_each_is_small():
    for name, extension in EXTENSIONS.items():
        assert extension.files <= MOST_FILES, name
        assert extension.lines <= MOST_LINES, name


def test_each_recipe_is_followed():
    recipes = (ROOT / "CONTRIBUTING.md").read_text().partition("## How to add")[2].partition("\n## ")[0]
    named = re.findall(r"\*\*[Aa]n? ([^*]+)\*\*", recipes)
    assert len(named) == 14
    # three kinds of source and an optimizer, a schedule and an average stand in one recipe each
    assert len(EXTENSIONS) == 14 + 2 + 2


def test_each_ends_as_it_should(printed):
    refused = {"filter": [2, 3]}
    for name, outputs in printed.items():
        for number, output in enumerate(outputs):
            assert output.endswith("2" if number in refused.get(name, []) else "0"), f"{name}: {output}"


def test_a_tokenizer(printed):
    _, described, _, model, scored = printed["tokenizer"]
    assert "regex" in described
    assert "regex" in model
    assert scored.count("\n") == 61  # a header, and a row for each line


def test_a_filter(printed):
    explained, drawn, out_of_range, contradiction = printed["filter"]
    assert "--epsilon" in explained
    sentences = [line for line in drawn.splitlines()[:-1] if line]
    assert len(sentences) == 3
    assert len(set(sentences)) == 1  # only the likeliest word is left at every step
    assert "must be" in out_of_range
    assert "draws nothing" in contradiction


def test_a_cell(copy, printed):
    assert "LEAKY" in printed["cell"][1]
    (copy / "tests").mkdir()
    for name in ("conftest.py", "films.py", "serving.py", "network"):
        source = ROOT / "tests" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / "tests" / name)
    (copy / "pytest.ini").write_text("[pytest]\npythonpath = tests\n")
    assert "passed" in call(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/network", "-k", "leaky"
    )


def test_a_source_a_table_and_a_cleaner(printed):
    assert "11 rows: 8 words" in printed["source"][0]
    assert re.search(r"train +52 +52 ", printed["table"][1])  # each line a document: 60, less those held out
    assert "cat" in printed["cleaner"][1].split()
    assert "remark" not in printed["cleaner"][1].split()


def test_an_optimizer_a_schedule_an_average_and_a_preset(printed):
    assert "rmsprop" in printed["optimizer"][2]
    assert "linear" in printed["schedule"][0]
    assert "whole" in printed["average"][1]
    assert "for a first look" in printed["preset"][0]
    assert "RNN" in printed["preset"][2]


def test_formats_of_lists_of_stimuli_and_of_scores(printed):
    rescored = printed["n-best lists"][0].splitlines()[:60]
    bare = printed["score format"][0].splitlines()[:60]
    assert [line.partition("\t")[2] for line in rescored] == TEXT.splitlines()
    assert [float(line.partition("\t")[0]) for line in rescored] == pytest.approx(
        [float(line) for line in bare], rel=1e-5
    )
    assert "only" in printed["stimuli"][0]


def test_a_pooling(printed):
    assert "good" in printed["pooling"][1]


def test_an_adaptation_that_does_nothing_changes_nothing(printed):
    found = re.findall(r'"perplexity[^"]*": ([\d.]+)', printed["adaptation"][0])
    assert len(found) > 1
    assert len(set(found)) == 1


def test_a_version_of_the_model_file(copy, printed):
    assert all("LSTM" in output for output in printed["model file"][::2])
    for run, number in (("run", b"7"), ("newer-run", b"8")):
        written = (copy / run / "best.safetensors").read_bytes()
        assert re.search(rb'"format\\": (\d+)', written)[1] == number
    with pytest.raises(langmodel.LangModelError, match="Upgrade langmodel"):
        langmodel.load(copy / "newer-run")


def test_a_call_of_the_playground(printed):
    assert "{'known': True}" in printed["API call"][0]


def test_a_verb(printed):
    assert "the longest words of a corpus" in printed["verb"][0]
    assert printed["verb"][1].splitlines()[0] == "sang!"
