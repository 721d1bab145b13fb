"""Small corpora and models that tests share, and Hypothesis's profile."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import films as film_reviews
import pytest
import torch
from hypothesis import HealthCheck, settings
from serving import HOSTILE, Served, start_server

from langmodel.cli.main import run
from langmodel.inference.language_model import LanguageModel
from langmodel.network.architecture import CELL_NAMES, Architecture
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.reference.cells import CELLS as REFERENCE
from langmodel.storage.model_file import SavedModel, load_model, save_model
from langmodel.text.corpus import Corpus
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.vocabulary import Vocabulary

os.environ["NLTK_DATA"] = "/nonexistent"

settings.register_profile(
    "langmodel",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("langmodel")

CELLS = CELL_NAMES

REFERENCED = tuple(REFERENCE)
"""Cells that the NumPy reference has; ONNX has the same."""

POEM = """the cat sat on the mat .
the dog saw the cat .
a cat ran from the dog .
the dog sat on a mat and the cat ran .
a bird sang .
"""


@pytest.fixture(autouse=True)
def one_thread_and_every_float() -> None:
    """The command line sets both for its whole process, which here is every test's."""
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)


@pytest.fixture
def films(tmp_path: Path) -> Path:
    """Labelled reviews to learn from."""
    return film_reviews.write(tmp_path / "films.txt", film_reviews.reviews(80, 1))


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    """Others of the same kind."""
    return film_reviews.write(tmp_path / "unseen.txt", film_reviews.reviews(40, 2))


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    file = tmp_path / "poem.txt"
    file.write_text(POEM * 12)
    return file


@pytest.fixture
def poem_corpus(tmp_path: Path, poem: Path) -> Corpus:
    config = PreprocessConfig(tokenizer="whitespace", sentences="line", seed=3)
    return preprocess([str(poem)], tmp_path / "corpus", config)


def make_network(cell: str = "lstm", seed: int = 0, **changes: object) -> RecurrentLM:
    """A network small enough to enumerate, with weights far from zero."""
    values = {"vocabulary_size": 8, "embedding_size": 5, "hidden_sizes": (4,), "tied": False, **changes}
    network = RecurrentLM(Architecture(cell=cell, **values), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3).add_(torch.empty_like(parameter).normal_(0, 0.3, generator=_seeded(seed)))
    return network.eval()


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed + 1)


def make_model(
    cell: str = "lstm", words: tuple[str, ...] = ("a", "b", "c", "d", "e"), **changes: object
) -> LanguageModel:
    """A random model over `words`, cut by whitespace."""
    vocabulary = Vocabulary(words, range(len(words), 0, -1))
    network = make_network(cell, vocabulary_size=len(vocabulary), **changes)
    return LanguageModel(network, vocabulary, Pipeline(tokenizer="whitespace", sentences="line"))


def saved_model(lm: LanguageModel, **more: object) -> SavedModel:
    return SavedModel(
        network=lm.network, vocabulary=lm.vocabulary, pipeline=lm.pipeline, context="sentence", **more
    )


def tiny_saved(step: int) -> SavedModel:
    """The smallest of models, saved after so many steps."""
    lm = make_model("rnn", words=("a", "b"), embedding_size=1, hidden_sizes=(1,), seed=step)
    return saved_model(lm, provenance={"step": step})


def step_of(file: Path) -> int:
    return load_model(file).provenance["step"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a random model in it: m.safetensors."""
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "m.safetensors", saved_model(make_model()))
    return tmp_path


def out(capsys: pytest.CaptureFixture[str], line: str) -> str:
    """What a command line prints."""
    assert run(line.split()) == 0
    return capsys.readouterr().out


def write_gzip(path: Path, data: bytes) -> Path:
    with gzip.open(path, "wb") as file:
        file.write(data)
    return path


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("served")
    words = ("the", "cat", "dog", "sat", "ran", ".", HOSTILE)
    lm = make_model(words=words, embedding_size=16, hidden_sizes=(16,))
    save_model(directory / "m.safetensors", saved_model(lm))
    save_model(directory / "other.safetensors", saved_model(make_model("gru", words=words)))
    process, port, _ = start_server(directory, "m.safetensors", "other.safetensors")
    yield Served(process, port, lm)
    process.terminate()
    process.wait(10)
