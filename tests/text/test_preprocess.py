import hashlib
import itertools
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langmodel.errors import ConfigError, CorpusError, LangModelError
from langmodel.text import paragraphs, pieces
from langmodel.text.corpus import Corpus, open_corpus
from langmodel.text.corpus_files import SPLITS
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.sources import Reading
from langmodel.text.splitting import HeldOut
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

PLAIN = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0, test_fraction=0)


def prepare(tmp_path: Path, text: str, config: PreprocessConfig = PLAIN, **more: object) -> Corpus:
    source = tmp_path / "source.txt"
    source.write_text(text, encoding="utf-8")
    return preprocess([str(source)], tmp_path / "corpus", config, **more)


def sentences_of(corpus: Corpus, split: str = "train") -> list[list[str]]:
    ids = corpus.split(split).tolist()
    cuts = [0] + [at + 1 for at, id in enumerate(ids) if id == END_ID]
    return [[corpus.vocabulary.word_of(id) for id in ids[a : b - 1]] for a, b in itertools.pairwise(cuts)]


def test_the_stream_is_every_word_with_end_behind_each_sentence(tmp_path):
    corpus = prepare(tmp_path, "the cat sat\n\nthe dog\n")
    assert sentences_of(corpus) == [["the", "cat", "sat"], ["the", "dog"]]
    assert START_ID not in corpus.split("train")
    statistics = corpus.statistics["train"]
    assert (statistics.sentences, statistics.tokens, statistics.unknown) == (2, 5, 0)
    assert statistics.longest_sentence == 3
    assert statistics.targets == len(corpus.split("train")) == 7


def test_characters_are_those_of_the_text_with_the_ends_of_its_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 8)  # counted in several batches
    corpus = prepare(tmp_path, "the cat  sat\n\nthe dög\n")
    assert corpus.statistics["train"].characters == len("the cat  sat\nthe dög\n")
    assert corpus.statistics["test"].characters == 0


def test_a_corpus_whose_characters_were_not_counted_still_opens(tmp_path):
    corpus = prepare(tmp_path, "the cat sat\n")
    file = corpus.path / "corpus.json"
    file.write_text(re.sub(r',\s*"characters": \d+', "", file.read_text()))
    assert open_corpus(corpus.path).statistics["train"].characters is None


def test_rare_words_become_unk_and_are_counted(tmp_path):
    corpus = prepare(tmp_path, "a a a b b c\n", replace(PLAIN, vocabulary_size=5))
    assert corpus.vocabulary.words == ("a", "b")
    assert corpus.split("train").tolist() == [3, 3, 3, 4, 4, UNK_ID, END_ID]
    assert corpus.statistics["train"].unknown == 1
    assert corpus.types == 3


def test_words_that_look_like_special_tokens_are_words(tmp_path):
    corpus = prepare(tmp_path, "<unk> SENTENCE_START </s> <s> UNKNOWN_TOKEN\n")
    ids = corpus.split("train").tolist()
    assert ids.count(END_ID) == 1
    assert UNK_ID not in ids
    assert START_ID not in ids
    assert len(corpus.vocabulary.words) == 5


def test_the_unk_token_of_a_pretokenized_corpus_is_unk(tmp_path):
    corpus = prepare(tmp_path, "a <unk> b\n", replace(PLAIN, unk_token="<unk>"))
    assert corpus.split("train").tolist() == [3, UNK_ID, 4, END_ID]
    assert corpus.vocabulary.words == ("a", "b")


def test_the_vocabulary_is_built_from_the_training_split_alone(tmp_path):
    for name, text in (("train", "a b\n"), ("valid", "a secret\n"), ("test", "hidden b\n")):
        (tmp_path / name).write_text(text)
    files = {name: str(tmp_path / name) for name in ("valid", "test")}
    corpus = preprocess([str(tmp_path / "train")], tmp_path / "corpus", PLAIN, **files)
    assert set(corpus.vocabulary.words) == {"a", "b"}
    assert corpus.statistics["valid"].unknown == corpus.statistics["test"].unknown == 1


def test_any_number_of_workers_writes_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 100)
    text = "".join(f"word{n % 37} says hello to Mr. Smith{n % 11}. And leaves!\n" for n in range(400))
    config = PreprocessConfig()
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    alone = prepare(tmp_path / "one", text, config)
    with ThreadPoolExecutor(3) as pool:
        together = prepare(tmp_path / "two", text, config, executor=pool)
    for name in ("train.npy", "valid.npy", "test.npy", "vocabulary.json"):
        assert (alone.path / name).read_bytes() == (together.path / name).read_bytes()
    assert alone.digest == together.digest


def test_preprocessing_twice_gives_the_same_bytes(tmp_path):
    first = {f.name: f.read_bytes() for f in prepare(tmp_path, "a b c\nd e\n" * 30).path.iterdir()}
    second = {f.name: f.read_bytes() for f in prepare(tmp_path, "a b c\nd e\n" * 30).path.iterdir()}
    assert first == second


@given(st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5), min_size=1, max_size=60))
def test_splits_keep_the_order_and_lose_nothing(tmp_path_factory, sentences):
    tmp_path = tmp_path_factory.mktemp("c")
    config = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0.2, test_fraction=0.1)
    corpus = prepare(tmp_path, "".join(" ".join(s) + "\n" for s in sentences), config)
    split = [s for name in SPLITS for s in sentences_of(corpus, name)]
    seen_in_training = set(corpus.vocabulary.words)
    expected = [tuple(w if w in seen_in_training else "<unk>" for w in s) for s in sentences]
    assert Counter(map(tuple, split)) == Counter(expected)
    train = [tuple(s) for s in sentences_of(corpus)]
    rest = iter(expected)
    assert all(sentence in rest for sentence in train), "the training split is not in the text's order"


@given(st.integers(1, 500), st.sampled_from([(0.1, 0.1), (0.05, 0.05), (0.2, 0.0), (0.0, 0.3), (0.3, 0.6)]))
def test_held_out_shares_of_equal_units_are_exact_to_one(units, fractions):
    dealt = Counter(split for split, _ in HeldOut(*fractions, seed=units).deal([Part(7)] * units))
    for name, fraction in zip(("valid", "test"), fractions, strict=True):
        assert abs(dealt[name] - units * fraction) <= 1
    assert dealt["train"] >= 1


@dataclass(frozen=True)
class Part:
    characters: int
    is_endless: bool = False


@given(st.lists(st.integers(100, 1_000), min_size=20, max_size=400), st.integers(0, 99))
def test_held_out_shares_of_the_text_are_near_what_was_asked(sizes, seed):
    dealt = Counter()
    for split, part in HeldOut(0.2, 0.1, seed=seed).deal(map(Part, sizes)):
        dealt[split] += part.characters
    total = sum(sizes)
    for name, fraction in (("valid", 0.2), ("test", 0.1)):
        assert abs(dealt[name] - fraction * total) <= max(0.2 * fraction * total, min(sizes))


def test_shares_are_kept_over_many_blocks():
    dealt = Counter(split for split, _ in HeldOut(0.2, 0.1, seed=1).deal([Part(300_000)] * 200))
    assert dealt == {"train": 140, "valid": 40, "test": 20}


def test_a_document_without_end_trains():
    dealt = HeldOut(0.4, 0.4, seed=1).deal([Part(10), Part(10, is_endless=True), Part(10)])
    assert [split for split, part in dealt if part.is_endless] == ["train"]


def test_the_seed_decides_what_is_held_out():
    def deal(seed: int) -> list[str]:
        return [split for split, _ in HeldOut(0.1, 0.1, seed=seed).deal([Part(9)] * 200)]

    assert deal(1) == deal(1)
    assert deal(1) != deal(2)


def test_documents_are_held_out_whole(tmp_path):
    file = tmp_path / "t.csv"
    rows = "".join(f'"d{n} one\nd{n} two"\n' for n in range(40))
    file.write_text("text\n" + rows)
    config = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0.2, test_fraction=0)
    corpus = preprocess([str(file)], tmp_path / "corpus", config, reading=Reading())
    assert corpus.statistics["valid"].documents == 8
    assert corpus.statistics["valid"].sentences == 16
    assert corpus.statistics["train"].documents == 32


def test_wide_vocabularies_are_stored_in_four_bytes(tmp_path):
    text = "".join(f"w{n}\n" for n in range(70_000))
    corpus = prepare(tmp_path, text, replace(PLAIN, vocabulary_size=10**6))
    assert corpus.split("train").dtype == np.uint32
    assert len(set(corpus.split("train").tolist())) == 70_001


def test_a_vocabulary_larger_than_the_corpus_holds_what_there_is(tmp_path):
    assert len(prepare(tmp_path, "one\n").vocabulary) == 4


@pytest.mark.parametrize("text", ["", "\n\n  \n", "\ufeff"])
def test_an_empty_corpus_is_refused(tmp_path, text):
    with pytest.raises(CorpusError, match="no words"):
        prepare(tmp_path, text)


def test_the_unk_token_is_known_in_any_case_where_case_is_folded(tmp_path):
    corpus = prepare(tmp_path, "<UNK> the <unk>\n", replace(PLAIN, unk_token="<unk>", case="lower"))
    assert corpus.vocabulary.words == ("the",)
    assert corpus.split("train").tolist() == [UNK_ID, 3, UNK_ID, END_ID]
    assert corpus.pipeline.encode(["<UNK>", "The"], corpus.vocabulary) == [UNK_ID, 3]


@pytest.mark.parametrize(
    "changes",
    [
        {"vocabulary_size": 3},
        {"min_count": 0},
        {"valid_fraction": -0.1},
        {"test_fraction": 1.0},
        {"valid_fraction": float("nan")},
        {"tokenizer": "x"},
        {"sentences": "x"},
        {"split_by": "x"},
        {"valid_fraction": 0.6, "test_fraction": 0.4},
        {"unk_token": "<unk>"},
    ],
)
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ConfigError):
        PreprocessConfig(**changes)


def test_min_count_that_leaves_no_word_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="lower --min-count"):
        prepare(tmp_path, "a b\n", replace(PLAIN, min_count=2))


def damage(corpus: Corpus, name: str, change) -> None:
    file = corpus.path / name
    file.write_bytes(change(file.read_bytes()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("corpus.json", lambda data: data[:40]),
        ("corpus.json", lambda data: b"[]"),
        ("corpus.json", lambda data: data.replace(b'"format": 2', b'"format": 99')),
        ("vocabulary.json", lambda data: data.replace(b'"cat"', b'"dog"')),
        ("vocabulary.json", lambda data: b""),
        ("train.npy", lambda data: data[:-1]),
        ("train.npy", lambda data: b"garbage"),
        ("train.npy", lambda data: data[:-4] + b"\xff\xff\xff\xff"),
        ("train.npy", lambda data: data[:-8] + data[-6:-4] + data[-8:-6] + data[-4:]),  # two words swapped
        ("corpus.json", lambda data: data.replace(b'"train"', b'"training"')),
    ],
)
def test_a_damaged_corpus_is_refused(tmp_path, name, change):
    corpus = prepare(tmp_path, "the cat sat\n")
    damage(corpus, name, change)
    with pytest.raises(CorpusError):
        open_corpus(corpus.path).split("train")


@pytest.mark.parametrize("name", ["vocabulary.json", "train.npy", "rare_words.json"])
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path, name):
    corpus = prepare(tmp_path, "the cat sat\n")
    (corpus.path / name).unlink()
    os.mkfifo(corpus.path / name)
    with pytest.raises(CorpusError, match="no such file"):
        opened = open_corpus(corpus.path)
        opened.split("train")
        opened.rare_words()


@pytest.mark.parametrize("ids", [[3, START_ID, 4, END_ID], [3, 4, 5]])
def test_ids_that_no_preprocessing_writes_are_refused(tmp_path, ids):
    corpus = prepare(tmp_path, "the cat sat\n" if len(ids) == 4 else "the cat\n")
    stream = np.array(ids, np.uint16)
    np.save(corpus.path / "train.npy", stream)
    file = corpus.path / "corpus.json"
    digest = hashlib.sha256(stream.tobytes()).hexdigest()
    file.write_text(file.read_text().replace(corpus.statistics["train"].sha256, digest))
    with pytest.raises(CorpusError, match="not made with this vocabulary"):
        open_corpus(corpus.path).split("train")


def test_prose_on_one_line_goes_through_nltk_in_pieces(tmp_path, monkeypatch):
    text = "The cat sat on the mat. It slept! Did the dog see it? " * 40
    config = PreprocessConfig(valid_fraction=0, test_fraction=0)
    whole = prepare(tmp_path, text, config)
    expected = sentences_of(whole)
    monkeypatch.setattr(paragraphs, "PASSAGE_CHARACTERS", 100)
    assert len(list(paragraphs.passages([text], "punkt"))) > 20
    assert (
        sentences_of(prepare(tmp_path, text, PreprocessConfig(valid_fraction=0, test_fraction=0))) == expected
    )
    assert "".join(paragraphs.passages(["a" * 555], "punkt")) == "a" * 555


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (TimeoutError("exceeded 5.0s"), "too much for NLTK"),
        (BrokenProcessPool(), "a worker process died"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_one_line_and_leaves_nothing(tmp_path, error, says):
    class Failing:
        def submit(self, *_: object) -> Future[object]:
            future: Future[object] = Future()
            future.set_exception(error)
            return future

    with pytest.raises(LangModelError, match=says):
        prepare(tmp_path, "the cat sat\n", executor=Failing())
    assert [file.name for file in tmp_path.iterdir()] == ["source.txt"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's peak memory")
def test_memory_does_not_grow_with_the_text(tmp_path):
    """Over text of the same words, four times as long; scripts/large_corpus.py does a gigabyte."""
    program = (
        "import sys; from pathlib import Path; from langmodel.text.preprocess import *;"
        "from langmodel.text import decoding, encoding, pieces, splitting;"  # smaller pieces: both have many
        "encoding.IDS_AT_ONCE = decoding.BLOCK_BYTES = 2**14; pieces.PIECE_CHARACTERS = 2**16;"
        "splitting.BLOCK_CHARACTERS = 2**14;"
        "config = PreprocessConfig(tokenizer='whitespace', sentences='line');"
        "preprocess([sys.argv[1]], Path(sys.argv[2]), config);"
        "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    )
    peaks = []
    for size in (1, 4):
        source = tmp_path / f"{size}.txt"
        source.write_text("".join(f"w{n % 997} and w{n % 31} again\n" for n in range(size * 100_000)))
        command = [sys.executable, "-c", program, str(source), str(tmp_path / str(size))]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 3_000  # kB; the longer text has 4.6 MB more, and 2.4 MB of ids


@pytest.mark.parametrize("seed", range(30))
def test_the_first_unit_of_a_text_always_trains(seed):
    dealt = list(HeldOut(0.4, 0.4, seed=seed).deal([Part(5)] * 6))
    assert dealt[0][0] == "train"


def test_unk_token_is_folded_with_the_words(tmp_path):
    pipeline = replace(PLAIN, unk_token="<UNK>", case="lower").pipeline(punkt=None)
    assert pipeline.means_unknown("<unk>")
    assert not replace(PLAIN, unk_token="<UNK>").pipeline(punkt=None).means_unknown("<unk>")


@pytest.mark.parametrize("named", ["valid", "test"])
def test_a_split_with_a_text_of_its_own_takes_nothing_from_the_others(tmp_path, named):
    (tmp_path / "source.txt").write_text("".join(f"word{n} sat\n" for n in range(400)))
    (tmp_path / "named.txt").write_text("word1 ran\n")
    config = replace(PLAIN, valid_fraction=0.1, test_fraction=0.1)
    told: list[int] = []
    corpus = preprocess(
        [str(tmp_path / "source.txt")],
        tmp_path / "c",
        config,
        **{named: str(tmp_path / "named.txt")},
        on_tokens=told.append,
    )
    other = {"valid": "test", "test": "valid"}[named]
    sentences = {name: split.sentences for name, split in corpus.statistics.items()}
    assert sentences[named] == 1
    assert sentences[other] == pytest.approx(40, abs=3)
    assert sentences["train"] == 400 - sentences[other]
    assert sum(told) == 2 * 401  # every word is told, and no END
