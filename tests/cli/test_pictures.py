"""Heat maps, colours and comparisons, through the command line."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import out

from langmodel.cli.main import run
from langmodel.inference.heat_map import DARK, DARKEST_BITS, LIGHT, ground, ink, legend


class Checker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]


def test_the_heat_map_is_one_page_without_anything_from_elsewhere(place, capsys):
    (place / "t.txt").write_text("a b <script>alert(1)</script>\n\nc d\n")
    page = out(capsys, "score m.safetensors t.txt --format html")
    checker = Checker()
    checker.feed(page)
    assert checker.sources == []
    assert checker.tags.count("script") == 1
    assert "alert(1)" not in re.sub(r"&lt;script&gt;alert\(1\)&lt;/script&gt;", "", page)
    assert page.count("<p>") == 3 + 1  # and one that explains
    assert "expected:" in page
    assert "rank 1" in page
    assert "by surprisal" in page


def test_the_scale_goes_from_light_to_dark_and_is_always_readable():
    assert ground(0) == LIGHT
    assert ground(99) == DARK
    lightness = [sum(ground(bits)) for bits in range(17)]
    assert lightness == sorted(lightness, reverse=True)
    assert (ink(LIGHT), ink(DARK)) == ("#111", "#fff")


def test_ink_changes_where_the_ground_is_as_bright_as_grey_140():
    assert (ink((140, 140, 140)), ink((141, 141, 141))) == ("#fff", "#111")


def test_the_legend_shows_the_whole_scale():
    stops = re.findall(r"rgb\((\d+),(\d+),(\d+)\)", legend())
    assert [tuple(map(int, stop)) for stop in stops] == [ground(DARKEST_BITS * n / 8) for n in range(9)]
    assert ground(DARKEST_BITS / 2) not in (LIGHT, DARK)


def test_colours_are_for_terminals_that_want_them(place, capsys, monkeypatch):
    (place / "t.txt").write_text("a b zzz\n")
    assert out(capsys, "score m.safetensors t.txt --color") == "a b zzz\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    colored = out(capsys, "score m.safetensors t.txt --color")
    assert colored.count("\x1b[48;2;") == 3
    assert colored.count("\x1b[4m") == 1
    monkeypatch.setenv("NO_COLOR", "1")
    assert out(capsys, "score m.safetensors t.txt --color") == "a b zzz\n"


SMALL = "--embedding-size 8 --batch-size 2 --bptt 4 --no-baselines --threads 1 --epochs 2"


@pytest.fixture
def runs(poem_corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, size in (("small", 4), ("large", 8)):
        assert run(["train", "corpus", "-o", name, "--hidden-size", str(size), *SMALL.split()]) == 0


def test_runs_are_compared_by_what_differs_and_what_was_reached(runs, capsys):
    capsys.readouterr()
    table = out(capsys, "compare small large").splitlines()
    rows = {line.split("  ")[0]: line.split()[-2:] for line in table[1:]}
    assert table[0].split() == ["small", "large"]
    assert rows["hidden_size"] == ["4", "8"]
    assert "embedding_size" not in rows
    assert "bptt" not in rows
    assert rows["epochs done"] == ["2", "2"]
    assert all(float(value) > 1 for value in rows["best perplexity"] + rows["bits per character"])


def test_a_comparison_is_drawn_and_put_on_a_page(runs, capsys):
    pytest.importorskip("matplotlib")
    assert run("compare small large --svg c.svg --html c.html".split()) == 0
    assert Path("c.svg").read_text().count("<!-- small -->") == 1
    page = Path("c.html").read_text()
    assert "<table>" in page
    assert "<svg" in page
    checker = Checker()
    checker.feed(page)
    assert not [source for source in checker.sources if source.startswith("http")]
    assert run("compare small corpus".split()) == 2
    assert "not a run directory" in capsys.readouterr().err


def test_tensorboard_gets_its_scalars_or_is_named(poem_corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    written = []

    class Writer:
        def __init__(self, folder):
            written.append(folder)

        def add_scalar(self, tag, value, step):
            written.append((tag, step))

        def flush(self): ...

    import sys
    import types

    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    assert run(["train", "corpus", "-o", "r", "--tensorboard", *SMALL.split()]) == 0
    assert written[0] == str(Path("r/tensorboard"))
    assert {tag for tag, _ in written[1:]} == {
        "train/loss",
        "train/ppl",
        "train/lr",
        "train/tokens_per_second",
        "valid/loss",
        "valid/ppl",
    }
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert run(["train", "corpus", "-o", "s", "--tensorboard", *SMALL.split()]) == 2
    assert "pip install 'langmodel[tensorboard]'" in capsys.readouterr().err
