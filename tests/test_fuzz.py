"""Any bytes give a value or a LangModelError: every reader of files, fed with what Hypothesis makes up."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import POEM, make_model, saved_model
from hypothesis import given, settings
from hypothesis import strategies as st

from langmodel.classification.architecture import ClassifierArchitecture
from langmodel.classification.classifier import load_classifier
from langmodel.classification.classifier_file import SavedClassifier, save_classifier
from langmodel.classification.config import ClassifierConfig
from langmodel.classification.encoder import TextClassifier
from langmodel.classification.labelled import read_labelled
from langmodel.configuration import typed_settings
from langmodel.errors import LangModelError
from langmodel.nbest.formats import NBEST_FORMATS
from langmodel.ngrams.arpa import read_arpa
from langmodel.storage.model_file import load_model, save_model
from langmodel.storage.run_files import read_metrics, read_run
from langmodel.text.corpus import open_corpus
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.sources import Reading, read_lines
from langmodel.text.vocabulary import Vocabulary
from langmodel.training.config import make_config
from langmodel.web.requests import read_request

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from([10**400, -1, 0, 2**63, "\ud800", "\x1b[2J", "9" * 5_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """The file cut short, with other bytes in the middle, or with another JSON value; or something else."""
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(st.binary(max_size=300))
    if kind == 1:
        return valid[: draw(st.integers(0, len(valid)))]
    if kind == 2:
        start = draw(st.integers(0, len(valid)))
        end = draw(st.integers(start, min(len(valid), start + 40)))
        return valid[:start] + draw(st.binary(max_size=40)) + valid[end:]
    try:
        document = json.loads(valid)
    except ValueError:
        return valid + draw(st.binary(max_size=40))
    if kind == 3:
        return dumped(draw(JSON))
    holder = document
    while isinstance(holder, dict | list) and holder:
        key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[key], dict | list) or not holder[key] or draw(st.booleans()):
            if draw(st.booleans()):
                holder[key] = draw(JSON)
            else:
                del holder[key]
            break
        holder = holder[key]
    return dumped(document)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus, a model and a run's files."""
    place = tmp_path_factory.mktemp("whole")
    (place / "poem.txt").write_text(POEM * 3)
    config = PreprocessConfig(tokenizer="whitespace", sentences="line", seed=3)
    preprocess([str(place / "poem.txt")], place / "corpus", config)
    lm = make_model(words=("a", "b"), embedding_size=2, hidden_sizes=(2,))
    save_model(place / "m.safetensors", saved_model(lm))
    shape = ClassifierArchitecture(vocabulary_size=5, classes=2, embedding_size=2, hidden_sizes=(2,))
    classifier = SavedClassifier(
        network=TextClassifier(shape), labels=("x", "y"), vocabulary=lm.vocabulary, pipeline=lm.pipeline
    )
    save_classifier(place / "c.safetensors", classifier)
    (place / "run").mkdir()
    (place / "run" / "run.json").write_text('{"corpus": "c", "config": {"epochs": 2}, "finished": true}')
    row = {"step": 1, "epoch": 1, "tokens": 9, "train_loss": 1.5, "valid_perplexity": None}
    (place / "run" / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    return place


def gives_a_value_or_says_why(read: Callable[[], object]) -> None:
    try:
        read()
    except LangModelError as error:
        assert str(error)


CORPUS_FILES = ("corpus.json", "vocabulary.json", "train.npy", "valid.npy", "rare_words.json", "shards.json")


@pytest.mark.parametrize("name", CORPUS_FILES)
@given(data=st.data())
def test_corpora(whole, tmp_path_factory, name, data):
    place = tmp_path_factory.mktemp("c", numbered=True) / "corpus"
    shutil.copytree(whole / "corpus", place)
    (place / name).write_bytes(data.draw(damaged((whole / "corpus" / name).read_bytes())))

    def read() -> None:
        corpus = open_corpus(place)
        assert corpus.statistics
        corpus.split("train"), corpus.split("valid"), repr(corpus), corpus.shards("train")
        corpus.rare_words()

    gives_a_value_or_says_why(read)
    shutil.rmtree(place.parent)


@settings(max_examples=200)
@given(data=st.data())
def test_models(whole, tmp_path_factory, data):
    place = tmp_path_factory.mktemp("m", numbered=True) / "m.safetensors"
    place.write_bytes(data.draw(damaged((whole / "m.safetensors").read_bytes())))
    gives_a_value_or_says_why(lambda: load_model(place))


@settings(max_examples=200)
@given(data=st.data())
def test_classifiers(whole, tmp_path_factory, data):
    place = tmp_path_factory.mktemp("c", numbered=True) / "c.safetensors"
    place.write_bytes(data.draw(damaged((whole / "c.safetensors").read_bytes())))
    gives_a_value_or_says_why(lambda: load_classifier(place).classify("a b"))


@given(
    content=st.binary(max_size=200)
    | st.lists(
        st.sampled_from(
            ["text", "label", ",", "\t", "\n", '"', "{", "}", ":", " +++$+++ ", "__label__", "a", " "]
        )
    ).map(lambda parts: "".join(parts).encode()),
    name=st.sampled_from(["a.csv", "a.tsv", "a.jsonl", "a.txt", "a.csv.gz"]),
)
def test_labelled_texts(tmp_path_factory, content, name):
    file = tmp_path_factory.mktemp("l", numbered=True) / name
    file.write_bytes(content)
    gives_a_value_or_says_why(lambda: read_labelled([str(file)]))


@given(value=JSON | st.dictionaries(st.sampled_from(list(ClassifierConfig().to_dict())), JSON))
def test_classifier_settings(value):
    if isinstance(value, dict):
        gives_a_value_or_says_why(lambda: ClassifierConfig(**typed_settings(ClassifierConfig, value, "test")))


@pytest.mark.parametrize(("name", "read"), [("run.json", read_run), ("metrics.jsonl", read_metrics)])
@given(data=st.data())
def test_runs(whole, tmp_path_factory, name, read, data):
    place = tmp_path_factory.mktemp("r", numbered=True)
    (place / name).write_bytes(data.draw(damaged((whole / "run" / name).read_bytes())))
    gives_a_value_or_says_why(lambda: read(place))


@given(data=st.data())
def test_configurations(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("t", numbered=True) / "c.toml"
    file.write_bytes(data.draw(damaged(b'epochs = 3\nhidden-size = [4, 5]\ncell = "gru"\ndropout = 0.1\n')))
    gives_a_value_or_says_why(lambda: make_config(None, file, {}))


TABLES = {
    "t.csv": b'id,text\n1,"a ""b"""\n2,c\n',
    "t.tsv": b"id\ttext\n1\ta b\n",
    "t.jsonl": b'{"text": "a b", "n": 1}\n{"text": "c"}\n',
    "t.txt": "“A b.”\nc d\r\n\n".encode(),
    "t.gz": b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
    "t.zip": b"PK\x05\x06" + bytes(18),
    "t.tar": bytes(1024),
}


@pytest.mark.parametrize("name", TABLES)
@given(data=st.data())
def test_texts_tables_and_archives(tmp_path_factory, name, data):
    file = tmp_path_factory.mktemp("s", numbered=True) / name
    file.write_bytes(data.draw(damaged(TABLES[name])))
    reading = Reading(encoding=data.draw(st.sampled_from(["utf-8", "cp1252", "utf-16", "ascii"])))
    gives_a_value_or_says_why(lambda: list(read_lines(str(file), reading)))


@given(text=st.text(max_size=200) | JSON.map(lambda value: dumped(value).decode("utf-8", "replace")))
def test_vocabularies(text):
    gives_a_value_or_says_why(lambda: Vocabulary.from_json(text))


@given(value=JSON, name=st.sampled_from(sorted(Pipeline().to_dict())))
def test_pipelines(value, name):
    gives_a_value_or_says_why(lambda: Pipeline.from_dict({**Pipeline().to_dict(), name: value}))
    gives_a_value_or_says_why(lambda: Pipeline.from_dict(value))


@given(data=st.data())
def test_arpa_files(tmp_path_factory, data):
    valid = b"\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t<unk>\n-1\ta\t-0.1\n-1\t</s>\n\n\\end\\\n"
    file = tmp_path_factory.mktemp("a", numbered=True) / "x.arpa"
    file.write_bytes(data.draw(damaged(valid)))
    gives_a_value_or_says_why(lambda: read_arpa(file, Vocabulary(("a", "b"), (2, 1))))


@pytest.mark.parametrize("call", ["score", "next", "sample"])
@given(body=st.binary(max_size=200) | JSON.map(dumped))
def test_requests(call, body):
    gives_a_value_or_says_why(lambda: read_request(call, body))


LIST = (
    b"0 ||| a b ||| LM= -4 ||| -6.5\n0 ||| c ||| LM= -5 ||| -7\n1\t-2.0\ta b\nH-0\t-1.0\ta b\n-1 -2 3 a b c\n"
)


@pytest.mark.parametrize("name", NBEST_FORMATS)
@given(data=st.data())
def test_nbest_lists(name, data):
    lines = data.draw(damaged(LIST)).decode("utf-8", "replace").splitlines()
    gives_a_value_or_says_why(lambda: list(NBEST_FORMATS[name].read(lines, "list", 2)))
