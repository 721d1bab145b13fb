import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langmodel.errors import CorpusError
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID, Vocabulary, build_vocabulary

counts = st.dictionaries(st.text(min_size=1, max_size=3), st.integers(1, 5), max_size=12)


def test_words_are_ranked_by_count_and_then_by_the_word_itself():
    vocabulary = build_vocabulary({"b": 2, "a": 2, "z": 9, "c": 1}, size=6)
    assert vocabulary.words == ("z", "a", "b")
    assert vocabulary.counts == (9, 2, 2)


def test_the_size_counts_the_three_special_tokens():
    assert len(build_vocabulary({str(n): 1 for n in range(50)}, size=10)) == 10


def test_rare_words_are_left_out():
    assert build_vocabulary({"a": 3, "b": 1}, size=10, min_count=2).words == ("a",)


def test_an_unknown_word_is_unk_and_a_special_look_alike_is_only_a_word():
    vocabulary = Vocabulary(["<unk>", "<s>"], [2, 1])
    assert vocabulary.id_of("zebra") == UNK_ID
    assert vocabulary.id_of("<unk>") == 3
    assert vocabulary.id_of("<s>") == 4
    assert len({UNK_ID, START_ID, END_ID, 3, 4}) == 5


@given(counts, st.integers(4, 20))
def test_ids_and_words_are_a_bijection_within_the_limit(counts, size):
    vocabulary = build_vocabulary(counts, size=size)
    assert len(vocabulary) <= size
    for id, word in enumerate(vocabulary.words, start=3):
        assert vocabulary.id_of(word) == id
        assert vocabulary.word_of(id) == word
        assert word in vocabulary


@given(counts, st.randoms())
def test_the_order_of_counting_does_not_matter(counts, shuffler: random.Random):
    items = list(counts.items())
    shuffler.shuffle(items)
    assert build_vocabulary(dict(items), size=9) == build_vocabulary(counts, size=9)


@given(counts)
def test_json_round_trip_keeps_every_word(counts):
    vocabulary = build_vocabulary(counts, size=100)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again == vocabulary
    assert again.counts == vocabulary.counts
    assert again.digest == vocabulary.digest


def test_swapping_two_words_changes_the_digest():
    assert Vocabulary(["a", "b"], [1, 1]).digest != Vocabulary(["b", "a"], [1, 1]).digest


@pytest.mark.parametrize("text", ["", "[[1, 2]]", '[["a"]]', '[["a", 1], ["a", 2]]', '[["a", "b"]]'])
def test_anything_else_than_a_vocabulary_is_refused(text):
    with pytest.raises(CorpusError):
        Vocabulary.from_json(text)
