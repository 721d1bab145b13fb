"""Every command of the quick start and of the guides is run, on small files."""

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import films
import pytest
from conftest import POEM

from langmodel.cli.main import run

DOCS = Path(__file__).parent.parent.parent / "docs"
GUIDES = [DOCS / "start.md", *sorted((DOCS / "guides").glob("*.md"))]

NOVEL = """*** START OF THE PROJECT GUTENBERG EBOOK ***
The cat sat on the mat. The dog saw the cat, and the cat ran.
“Where is the dog?” said Anna. The dog sat in the garden with Anna and a bird.
*** END OF THE PROJECT GUTENBERG EBOOK ***
"""

SMALL = {"--epochs": "1", "--hidden-size": "8", "--embedding-size": "8"}


def commands(file: Path) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```$", file.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the guides name, and a model."""
    folder = tmp_path_factory.mktemp("guides")
    (folder / "mytext.txt").write_text(POEM * 20)
    (folder / "archive.txt").write_text(POEM * 20)
    (folder / "text.txt").write_text(POEM)
    start, story, end = NOVEL.partition("\n")[0], NOVEL.split("\n", 1)[1].split("***")[0], "*** END OF THE"
    (folder / "novel.txt").write_text(f"{start}\n{story * 40}{end} PROJECT GUTENBERG EBOOK ***\n")
    (folder / "items.csv").write_text(
        "item,condition,regions\n1,grammatical,the cat|sat\n1,other,cat the|sat\n"
        "2,grammatical,a dog|ran\n2,other,dog a|ran\n"
    )
    pair = {"sentence_good": "the cat sat .", "sentence_bad": "cat the . sat", "UID": "x", "field": "y"}
    (folder / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    regions = [{"region_number": n, "content": word} for n, word in enumerate(["the", "cat", "sat"], start=1)]
    conditions = [{"condition_name": name, "regions": regions} for name in "ab"]
    (folder / "suite.json").write_text(
        json.dumps(
            {
                "meta": {"metric": "sum"},
                "predictions": [{"formula": "(2;%a%) = (2;%b%)"}],
                "items": [{"item_number": 1, "conditions": conditions}],
            }
        )
    )
    (folder / "stories.tsv").write_text("word\tzone\titem\nThe\t1\t1\ncat,\t2\t1\n")
    lists = "0 ||| the cat ||| f= -1 ||| -1\n0 ||| cat the ||| f= -0.9 ||| -0.9\n"
    (folder / "dev.nbest").write_text(lists)
    (folder / "test.nbest").write_text(lists)
    (folder / "dev.txt").write_text("the cat\n")
    for name, seed in (("reviews", 1), ("test", 2)):
        rows = "".join(f'{label},"{text}"\n' for label, text in films.reviews(60, seed))
        (folder / f"{name}.csv").write_text(f"label,text\n{rows}")
    (folder / "more.txt").write_text("".join(f"{text}\n" for _, text in films.reviews(30, 3)))
    corpus, model = str(folder / "corpus"), str(folder / "model")
    text = films.reviews(60, 4)
    (folder / "general.txt").write_text(POEM * 9 + "".join(f"{t}\n" for _, t in text))
    assert run(["preprocess", str(folder / "general.txt"), "-o", corpus, "--sentences", "line"]) == 0
    small = [part for item in SMALL.items() for part in item]
    assert run(["train", corpus, "-o", model, *small, "--no-baselines", "--threads", "1"]) == 0
    return folder


def shell(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What a line prints: `echo … |` in front and `> FILE` behind are understood."""
    command, _, output = line.partition(" > ")
    before, pipe, after = command.partition(" | ")
    if pipe:
        command = after
        text = " ".join(shlex.split(before)[1:]) + "\n"
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    program, *arguments = shlex.split(command)
    if program == "torchrun":
        module = [sys.executable, "-m", "torch.distributed.run", *arguments]
        subprocess.run(module, check=True, capture_output=True)
        return ""
    assert program == "langmodel"
    capsys.readouterr()
    assert run(arguments) == 0, line
    printed = capsys.readouterr().out
    if output:
        Path(output.strip()).write_text(printed)
    return printed


@pytest.mark.xdist_group("torchrun")
@pytest.mark.parametrize("file", GUIDES, ids=lambda file: file.stem)
def test_every_command_of_a_guide_runs(file, place, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    lines = commands(file)
    assert lines
    for line in lines:
        printed = shell(line, monkeypatch, capsys)
        assert printed or " > " in line or line.startswith(("torchrun", "langmodel preprocess"))
