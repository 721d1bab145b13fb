from dataclasses import replace

import pytest

from langmodel.text.casing import is_capitalised
from langmodel.text.corpus import open_corpus
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.vocabulary import UNK_ID

TEXT = """The cat saw Anna. Anna saw the cat.
“The cat is here,” said Anna. I think I saw the dog.
Perhaps the dog ran. The dog and I ran.
"""


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "t.txt").write_text(TEXT * 3, encoding="utf-8")
    config = PreprocessConfig(sentences="punkt", valid_fraction=0, test_fraction=0)
    return preprocess([str(tmp_path / "t.txt")], tmp_path / "c", config)


def test_first_words_are_written_as_they_are_elsewhere(corpus):
    words = set(corpus.vocabulary.words)
    assert "the" in words
    assert "The" not in words
    assert {"Anna", "I", "Perhaps"} <= words  # a name, a word that is never small, one seen nowhere else
    assert "the" in corpus.pipeline.lowered
    assert "anna" not in corpus.pipeline.lowered


def test_true_casing_is_undone_in_text(corpus):
    pipeline, vocabulary = corpus.pipeline, corpus.vocabulary
    words = pipeline.tokenize("“The cat saw Anna.”")
    ids = pipeline.encode(words, vocabulary)
    assert UNK_ID not in ids
    assert pipeline.decode(ids, vocabulary)[1] == "the"
    assert pipeline.detokenize(pipeline.decode(ids, vocabulary)) == "“The cat saw Anna.”"


def test_inside_a_sentence_case_is_kept(corpus):
    assert corpus.pipeline.normalize_sentence(["Anna", "saw", "The", "cat"]) == ["Anna", "saw", "The", "cat"]
    assert corpus.pipeline.normalize_sentence(["...", "The"]) == ["...", "the"]
    assert corpus.pipeline.normalize_sentence(["1", "The"]) == ["1", "The"]


def test_the_pipeline_is_stored_and_older_ones_are_read(corpus):
    assert open_corpus(corpus.path).pipeline == corpus.pipeline
    old = replace(corpus.pipeline, case="keep", lowered=()).to_dict()
    del old["case"], old["lowered"]
    assert Pipeline.from_dict({**old, "lowercase": True}).case == "lower"
    assert Pipeline.from_dict({**old, "lowercase": False}).case == "keep"


def test_all_words_fit_so_the_rarest_are_unknown(tmp_path):
    (tmp_path / "t.txt").write_text("a b c d e f g h\n" * 9 + "rare\n")
    config = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0, test_fraction=0)
    notes = []
    corpus = preprocess([str(tmp_path / "t.txt")], tmp_path / "c", config, on_note=notes.append)
    assert "rare" not in corpus.vocabulary
    assert any("--min-count 1 keeps them" in note for note in notes)
    kept = preprocess([str(tmp_path / "t.txt")], tmp_path / "c", replace(config, min_count=1))
    assert "rare" in kept.vocabulary


def test_another_corpus_takes_over_words_and_pipeline(corpus, tmp_path):
    (tmp_path / "other.txt").write_text("The dog saw Bob. Anna ran and ran again.\n" * 4)
    config = PreprocessConfig(valid_fraction=0, test_fraction=0)
    given = (corpus.vocabulary, corpus.pipeline)
    other = preprocess([str(tmp_path / "other.txt")], tmp_path / "o", config, vocabulary_from=given)
    assert other.vocabulary == corpus.vocabulary
    assert other.pipeline == corpus.pipeline
    assert other.vocabulary.counts[other.vocabulary.words.index("the")] == 4
    assert other.statistics["train"].unknown == 8  # Bob, again


@pytest.mark.parametrize(
    ("word", "expected"),
    [("The", True), ("the", False), ("NATO", False), ("McCoy", False), ("iPod", False), ("I", True)],
)
def test_a_capital_beside_others_is_a_name_s_own(word, expected):
    assert is_capitalised(word) == expected
