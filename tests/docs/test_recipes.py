"""CONTRIBUTING.md says how to add a tokenizer, a filter, a cell and a verb: each is done here, in a copy."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

MOST_FILES, MOST_LINES = 2, 25
"""Of the package, that an extension may touch and add."""


@dataclass
class Copy:
    """The package and its tests, to be changed."""

    path: Path
    lines: int = 0

    def add(self, file: str, text: str, *, before: str | None = None) -> None:
        """Insert a text before the first place where `before` stands, or make a new file of it."""
        target = self.path / "langmodel" / file
        if before is not None:
            old = target.read_text()
            assert before in old, f"{file}: {before!r} is gone; bring the recipe up to date"
            at = old.index(before)
            text_before, text_after = old[:at], old[at:]
        else:
            text_before = text_after = ""
        target.write_text(text_before + text + text_after)
        self.lines += text.count("\n")

    def run(self, *command: str) -> str:
        """What it prints, on both streams."""
        result = subprocess.run(
            [sys.executable, *command],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": str(self.path), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    def langmodel(self, *lines: str) -> list[str]:
        """What each command line prints, on both streams, and last its exit code; all in one process."""
        code = (
            "import sys\nfrom langmodel.cli.main import run\nsys.stderr = sys.stdout\n"
            "for line in sys.argv[1:]:\n    print(run(line.split()), end='\\x00')\n"
        )
        return self.run("-c", code, *lines).split("\x00")[:-1]


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "langmodel", tmp_path / "langmodel", ignore=shutil.ignore_patterns("__pycache__"))
    made = Copy(tmp_path)
    (tmp_path / "text.txt").write_text("The cat sat, and the dog ran.\nA bird sang!\n" * 30)
    yield made
    assert made.lines <= MOST_LINES
    changed = {
        file.relative_to(tmp_path)
        for file in (tmp_path / "langmodel").rglob("*.py")
        if not (ROOT / file.relative_to(tmp_path)).exists()
        or file.read_bytes() != (ROOT / file.relative_to(tmp_path)).read_bytes()
    }
    assert len(changed) <= MOST_FILES


def test_a_tokenizer(copy):
    copy.add(
        "text/tokenizers.py",
        """class RegexTokenizer:
    \"\"\"Runs of letters and digits, and every other character by itself.\"\"\"

    def tokenize(self, sentence: str) -> list[str]:
        return re.findall(r"\\w+|[^\\w\\s]", sentence)

    def detokenize(self, words: Sequence[str]) -> str:
        return " ".join(words)


""",
        before="TOKENIZERS: dict",
    )
    copy.add("text/tokenizers.py", "import re\n", before="from collections.abc")
    copy.add("text/tokenizers.py", '    "regex": RegexTokenizer,\n', before='    "whitespace": Whitespace')
    train = "train corpus -o run --epochs 1 --hidden-size 8 --embedding-size 8 --batch-size 2 --no-baselines"
    made, described, trained, model, scored = copy.langmodel(
        "preprocess text.txt -o corpus --tokenizer regex --sentences line",
        "info corpus",
        train,
        "info run",
        "score run text.txt",
    )
    assert all(printed.endswith("0") for printed in (made, trained))
    assert "regex" in described
    assert "regex" in model
    assert scored.count("\n") == 61  # a header, and a row for each line


def test_a_filter(copy):
    copy.add(
        "inference/filters.py",
        """def epsilon(least: float) -> Filter:
    \"\"\"The words of at least this probability, and the likeliest (Hewitt et al. 2022).\"\"\"

    def apply(logits_BV: Tensor) -> Tensor:
        log_probs_BV = torch.log_softmax(logits_BV, 1)
        is_rare_BV = (log_probs_BV < math.log(least)) & (logits_BV < logits_BV.amax(1, keepdim=True))
        return logits_BV.masked_fill_(is_rare_BV, -torch.inf)

    return apply


""",
        before="FILTERS: dict",
    )
    copy.add(
        "inference/filters.py",
        '    "epsilon": lambda settings: epsilon(settings.epsilon) if settings.epsilon else None,\n',
        before='    "min_p": lambda',
    )
    copy.add(
        "inference/settings.py",
        '    epsilon: float = setting(0.0, "Only words at least this likely; 0: all.", least=0, under=1)\n',
        before="    length: int = setting",
    )
    *_, explained, drawn, out_of_range, contradiction = copy.langmodel(
        "preprocess text.txt -o corpus --tokenizer whitespace --sentences line",
        "train corpus -o run --epochs 1 --hidden-size 8 --embedding-size 8 --batch-size 2",
        "sample --help",
        "sample run -n 3 --seed 1 --epsilon 0.9 --network-only --unk keep --format tokens",
        "sample run --epsilon 2",
        "sample run --beam 2 --epsilon 0.1",
    )
    assert "--epsilon" in explained
    sentences = [line for line in drawn.splitlines()[:-1] if line]
    assert len(sentences) == 3
    assert len(set(sentences)) == 1  # only the likeliest word is left at every step
    assert "must be" in out_of_range
    assert "draws nothing" in contradiction
    assert out_of_range.endswith("2")
    assert contradiction.endswith("2")


def test_a_cell(copy):
    copy.add(
        "network/cells.py",
        """def _leaky(
    input_TBG: Tensor, weight: Tensor, bias: Tensor | None, state: LayerState
) -> tuple[Tensor, LayerState]:
    \"\"\"h' = (h + tanh(x + h Uᵀ)) / 2.\"\"\"
    (hidden,), outputs = state, []
    for x in (input_TBG if bias is None else input_TBG + bias).unbind(0):
        hidden = (hidden + torch.addmm(x, hidden, weight.t()).tanh()) / 2
        outputs.append(hidden)
    return torch.stack(outputs), (hidden,)


""",
        before="CELLS: dict",
    )
    copy.add("network/cells.py", '    "leaky": Cell(1, 1, _leaky),\n', before='    "mingru": Cell(')
    copy.add("network/architecture.py", '"leaky", ', before='"mingru")')
    (copy.path / "tests").mkdir()
    for name in ("conftest.py", "films.py", "serving.py", "network"):
        source = ROOT / "tests" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy.path / "tests" / name)
    (copy.path / "pytest.ini").write_text("[pytest]\npythonpath = tests\n")
    tests = copy.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/network", "-k", "leaky")
    assert "passed" in tests
    *_, described = copy.langmodel(
        "preprocess text.txt -o corpus --tokenizer whitespace --sentences line",
        "train corpus -o run --cell leaky --epochs 1 --hidden-size 8 --embedding-size 8",
        "info run",
    )
    assert "LEAKY" in described


def test_a_verb(copy):
    copy.add(
        "cli/longest.py",
        """\"\"\"`langmodel longest`: the longest words of a corpus.\"\"\"

from pathlib import Path

import click

from langmodel.text.corpus import open_corpus


@click.command("longest")
@click.argument("corpus", type=click.Path(path_type=Path))
def command(corpus: Path) -> None:
    \"\"\"The ten longest words of CORPUS, longest first.\"\"\"
    for word in sorted(open_corpus(corpus).vocabulary.words, key=len, reverse=True)[:10]:
        print(word)
""",
    )
    copy.add("cli/main.py", '    "longest": "the longest words of a corpus",\n', before='    "info": "what a')
    listed, _, printed = copy.langmodel(
        "--help", "preprocess text.txt -o corpus --tokenizer whitespace --sentences line", "longest corpus"
    )
    assert "the longest words of a corpus" in listed
    assert printed.splitlines()[0] == "sang!"
