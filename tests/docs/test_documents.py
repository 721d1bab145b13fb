"""What the documents show is run, and what they point to is there."""

import re
import runpy
from pathlib import Path

import pytest
from conftest import make_model

from langmodel.storage.model_file import SavedModel, save_model
from langmodel.text.pipeline import Pipeline

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


NOVEL = """The cat sat on the mat. The dog saw the cat, and the cat ran.
“Where is the dog?” said Anna. The dog sat in the garden with Anna and a bird.
Anna saw the bird. A bird sang, and the dog ran from the cat to the garden.
"""


def test_every_block_of_the_tutorial_runs_and_draws_its_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "scripts" / "run_tutorial.py"), run_name="__main__")
    drawn = {file.name for file in (tmp_path / "figures").iterdir()}
    shown = set(re.findall(r"\(figures/([\w.]+)\)", (ROOT / "docs" / "tutorial.md").read_text()))
    assert drawn == shown
    assert "worst relative error" in capsys.readouterr().out


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    lm = make_model(words=("the", "method", "returns", "a", "if", "file"))
    (tmp_path / "checkpoints" / "demo").mkdir(parents=True)
    saved = SavedModel(network=lm.network, vocabulary=lm.vocabulary, pipeline=Pipeline(), context="document")
    save_model(tmp_path / "checkpoints" / "demo" / "best.safetensors", saved)
    (tmp_path / "mytext.txt").write_text(NOVEL * 9, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    (tmp_path / "readme.py").write_text(block)
    runpy.run_path(str(tmp_path / "readme.py"))
    printed = capsys.readouterr().out
    assert "bits  The" in printed
    assert "strings  (unknown)" in printed
    assert sum(line.lower().startswith("if the file") for line in printed.splitlines()) == 3


def test_the_page_on_python_runs_block_after_block(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "novel.txt").write_text(NOVEL * 60, encoding="utf-8")
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    printed = capsys.readouterr().out
    assert "<Corpus corpora/novel: " in printed
    assert "finished" in printed
    assert "unknown setting 'hiden_size'; known: cell," in printed
    assert printed.count("The ") >= 2
    assert "<span class=" in names["html"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_verb_and_flag_that_is_named_exists(document):
    from langmodel.cli.main import langmodel

    commands = {name: langmodel.get_command(None, name) for name in langmodel.list_commands(None)}
    for line in document.read_text().replace("\\\n", " ").splitlines():
        for verb, rest in re.findall(r"(?:^|\| )langmodel ([a-z-]+)([^|#]*)", line):
            assert verb in commands, line
            flags = {
                flag for option in commands[verb].params for flag in (*option.opts, *option.secondary_opts)
            }
            assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)) <= flags | {"--help"}, line


def test_the_readme_tells_how_to_replace_the_pinned_torch():
    readme = (ROOT / "README.md").read_text()
    (pin,) = re.findall(r"torch==[\d.]+", readme)
    assert pin in (ROOT / "constraints.txt").read_text().splitlines()
