import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.lm import KneserNeyInterpolated
from nltk.util import everygrams

from langmodel.ngrams import kneser_ney
from langmodel.ngrams.comparison import best_mixture, compare
from langmodel.ngrams.kneser_ney import KneserNey, unigram_log_probs
from langmodel.text.vocabulary import END_ID, START_ID

VOCABULARY_SIZE = 9
SENTENCES = st.lists(st.lists(st.integers(3, VOCABULARY_SIZE - 1), max_size=7), min_size=1, max_size=8)


def stream(sentences: list[list[int]]) -> np.ndarray:
    return np.array([id for sentence in sentences for id in [*sentence, END_ID]], np.uint16)


def next_probabilities(model: KneserNey, context: list[int]) -> np.ndarray:
    """Of every id after the words of a sentence that has begun with `context`."""
    return np.array(
        [
            0.0 if id == START_ID else math.exp(model.log_probs(np.array([*context, id]))[len(context)])
            for id in range(VOCABULARY_SIZE)
        ]
    )


@given(SENTENCES, st.lists(st.integers(3, VOCABULARY_SIZE - 1), max_size=6), st.integers(1, 5))
def test_probabilities_sum_to_one_after_any_context_seen_or_not(sentences, context, order):
    model = KneserNey(stream(sentences), VOCABULARY_SIZE, order)
    assert next_probabilities(model, context).sum() == pytest.approx(1, abs=1e-12)


def test_a_bigram_model_worked_by_hand():
    # Sentences "3 4" and "3 5", discount 0.5: START 3 | 3 4, 3 5 | 4 END, 5 END.
    model = KneserNey(stream([[3, 4], [3, 5]]), VOCABULARY_SIZE, 2, discounts=(0.5, 0.5, 0.5))
    # Unigrams by how many different words stand in front: 3 one (START), 4 one, 5 one, END two; of 5.
    after_start = (2 - 0.5) / 2 + 0.5 / 2 * (1 / 5)
    four_after_three = (1 - 0.5) / 2 + 2 * 0.5 / 2 * (1 / 5)
    end_after_four = (1 - 0.5) / 1 + 0.5 / 1 * (2 / 5)
    found = np.exp(model.log_probs(stream([[3, 4]])))
    assert found == pytest.approx([after_start, four_after_three, end_after_four])


@pytest.mark.parametrize("order", [2, 3, 4])
def test_it_agrees_with_nltk_where_the_conventions_do(order):
    # One long sentence without its edges: nltk pads with several STARTs, KenLM and we with one.
    random = np.random.default_rng(5)
    words = random.choice(np.arange(3, VOCABULARY_SIZE), size=400, p=[0.4, 0.3, 0.1, 0.1, 0.06, 0.04])
    discount = 0.3
    ours = KneserNey(np.append(words, END_ID), VOCABULARY_SIZE, order, discounts=(discount,) * 3)
    theirs = KneserNeyInterpolated(order, discount=discount)
    text = [str(id) for id in (START_ID, *words, END_ID)]
    theirs.fit([everygrams(text, max_len=order)], vocabulary_text=text)
    checked = 0
    for _ in range(200):
        place = int(random.integers(order, len(words)))
        context = words[place - order : place].tolist()
        named = [str(id) for id in context[1:]]
        if named and not theirs.counts[tuple(named)]:
            continue  # a context never seen: nltk stops at the order below, as KenLM does, but divides by 0
        word = int(words[place])
        expected = theirs.score(str(word), named)
        found = math.exp(ours.log_probs(np.array([*context, word]))[-1])
        assert found == pytest.approx(expected, rel=1e-9)
        checked += 1
    assert checked > 100


def test_a_word_after_another_sentence_is_not_conditioned_on_it():
    ids = stream([[3, 4], [5, 6], [3, 5]])
    model = KneserNey(ids, VOCABULARY_SIZE, 5)
    alone, after = model.log_probs(stream([[5, 6]])), model.log_probs(stream([[3, 4], [5, 6]]))
    assert after[3:].tolist() == alone.tolist()


def test_the_unigram_knows_every_word_but_start():
    found = np.exp(unigram_log_probs(stream([[3, 3], [4]]), np.arange(VOCABULARY_SIZE), VOCABULARY_SIZE))
    assert found.sum() == pytest.approx(1)
    assert found[START_ID] == 0
    assert found[3] == pytest.approx(3 / (5 + 8))


@given(st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
def test_the_best_mixture_is_at_least_as_good_as_any_on_a_grid(scale, seed):
    first, second = np.log(np.random.default_rng(seed).uniform(0.01, scale, (2, 50)))
    weight, loss = best_mixture(first, second)
    grid = [
        -np.logaddexp(first + np.log(w), second + np.log1p(-w)).mean() for w in np.linspace(0.01, 0.99, 99)
    ]
    assert 0 <= weight <= 1
    assert loss <= min(*grid, -first.mean(), -second.mean()) + 1e-3


def test_a_network_that_loses_to_the_n_gram_is_told_so():
    ids = stream([[3, 4, 5], [3, 4, 6], [3, 4, 5]] * 10)
    uniform = np.full(len(ids), -math.log(VOCABULARY_SIZE - 1))
    assert compare(uniform, KneserNey(ids, VOCABULARY_SIZE), ids, ids).network_loses
    certain = np.full(len(ids), -0.01)
    found = compare(certain, KneserNey(ids, VOCABULARY_SIZE), ids, ids)
    assert not found.network_loses
    assert found.mixture <= found.network
    assert found.tokens == len(ids)


def test_counts_of_three_and_more_have_a_discount_of_their_own():
    # "3 4" three times: every bigram has count 3, and every word one kind of word in front of it.
    model = KneserNey(stream([[3, 4]] * 3), VOCABULARY_SIZE, 2, discounts=(0.5, 1.0, 1.5))
    found = np.exp(model.log_probs(stream([[3, 4]])))
    assert found == pytest.approx([(3 - 1.5) / 3 + 1.5 / 3 * (1 / 3)] * 3)


def test_discounts_come_from_how_many_n_grams_occur_once_to_four_times():
    """Worked by hand: 8, 5, 3 and 2 of them; Y = 8 / (8 + 2·5)."""
    counts = np.repeat([1, 2, 3, 4, 5], [8, 5, 3, 2, 9])
    y = 8 / 18
    expected = (1 - 2 * y * 5 / 8, 2 - 3 * y * 3 / 5, 3 - 4 * y * 2 / 3)
    assert kneser_ney._estimate_discounts(counts) == pytest.approx(expected)
    assert kneser_ney._estimate_discounts(counts[counts != 4]) == kneser_ney.FALLBACK_DISCOUNTS
