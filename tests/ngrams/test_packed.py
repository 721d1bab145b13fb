"""N-grams as part of a model: the same probabilities as the model that they were taken from."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from langmodel.errors import ModelFileError
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.ngrams.packed import NONE, Level, PackedNgrams, decoded, encoded, packed
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

V = 9
WORD = st.integers(3, V - 1)
SENTENCES = st.lists(st.lists(st.one_of(WORD, st.just(UNK_ID)), max_size=7), min_size=1, max_size=8)


def stream(sentences: list[list[int]]) -> np.ndarray:
    return np.array([id for sentence in sentences for id in [*sentence, END_ID]], np.uint16)


def after(ngrams: PackedNgrams, words: list[int]) -> torch.Tensor:
    """The contexts at the end of a sentence's beginning, shape (1, K)."""
    inputs = torch.tensor([START_ID, *words]).unsqueeze(1)
    return ngrams.contexts(inputs, ngrams.no_context(1))[-1]


def by_hand(model: KneserNey, least: list[int], words: list[int], word: int) -> float:
    """Kneser-Ney from dictionaries: no arrays, no numbers for contexts; entry n - 2 of `least` prunes."""
    counts = {}
    names = [()]
    for n, order in enumerate(model.orders, start=1):
        found = [(*names[key // V], key % V) for key in order.keys_G.tolist()]
        kept = {
            name: part
            for name, part, count in zip(
                found, order.discounted_G.tolist(), order.counts_G.tolist(), strict=False
            )
            if n == 1 or count >= least[n - 2]
        }
        counts |= kept
        names = found
    for name in [name for name in counts if len(name) > 2]:  # what is kept needs its beginnings
        for length in range(2, len(name)):
            assert name[:length] in counts
    probability = float(model.unigram_probabilities()[word])
    history = [START_ID, *words]
    for length in range(1, len(model.orders)):
        context = tuple(history[-length:])
        if len(context) < length:
            break
        own = {name[-1]: part for name, part in counts.items() if name[:-1] == context}
        probability = own.get(word, 0.0) + (1 - sum(own.values())) * probability
    return probability


@given(SENTENCES, st.lists(WORD, max_size=5), st.integers(1, 5))
def test_probabilities_are_the_kneser_ney_model_s(sentences, words, order):
    model = KneserNey(stream(sentences), V, order)
    ngrams = packed(model, order)
    contexts = after(ngrams, words)
    for word in range(V):
        if word == START_ID:
            continue
        expected = math.exp(model.log_probs(np.array([*words, word]))[len(words)])
        found = ngrams.probabilities(contexts, torch.tensor([word])).item()
        assert found == pytest.approx(expected, rel=2e-3)
        assert found == pytest.approx(by_hand(model, [1] * order, words, word), rel=2e-3)


@given(
    SENTENCES,
    st.lists(st.lists(WORD, max_size=5), min_size=1, max_size=4),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_a_distribution_sums_to_one_and_holds_the_probabilities(sentences, beginnings, order, least):
    ngrams = packed(KneserNey(stream(sentences), V, order), order, [least] * order)
    contexts = torch.cat([after(ngrams, words) for words in beginnings])
    distribution = ngrams.distribution(contexts)
    assert distribution[:, START_ID].tolist() == [0.0] * len(beginnings)
    torch.testing.assert_close(
        distribution.double().sum(1), torch.ones(len(beginnings)).double(), rtol=0, atol=1e-6
    )
    for word in range(V):
        one = ngrams.probabilities(contexts, torch.full((len(beginnings),), word))
        torch.testing.assert_close(distribution[:, word], one, rtol=1e-6, atol=1e-9)


@given(SENTENCES, st.integers(2, 5))
def test_pruning_leaves_the_rest_to_shorter_contexts(sentences, order):
    model = KneserNey(stream(sentences), V, order)
    least = [1] * (order - 2) + [2]
    ngrams = packed(model, order, least)
    assert ngrams.size <= packed(model, order).size
    words = sentences[0][:4]
    for word in (3, END_ID):
        found = ngrams.probabilities(after(ngrams, words), torch.tensor([word])).item()
        assert found == pytest.approx(by_hand(model, least, words, word), rel=2e-3)


def test_contexts_do_not_depend_on_windows_or_company_and_end_with_a_sentence():
    random = np.random.default_rng(1)
    ids = random.integers(2, V, 300)
    ngrams = packed(KneserNey(np.append(ids, END_ID).astype(np.uint16), V, 4), 4)
    inputs = torch.from_numpy(np.where(ids == END_ID, START_ID, ids))
    whole = ngrams.contexts(inputs.unsqueeze(1), ngrams.no_context(1))[:, 0]
    state, parts = ngrams.no_context(1), []
    for part in inputs.split([1, 7, 92, 200]):
        found = ngrams.contexts(part.unsqueeze(1), state)
        parts.append(found[:, 0])
        state = found[-1]
    assert torch.equal(torch.cat(parts), whole)
    columns = ngrams.contexts(inputs.view(3, 100).t(), ngrams.no_context(3))
    assert torch.equal(columns[5:, 0], whole[5:100])
    starts = (inputs == START_ID).nonzero()[:, 0]
    assert (whole[starts, 1:] == NONE).all()
    assert (whole[:, 0] == inputs).all()


def test_codes_keep_a_probability_to_a_fiftieth_of_a_percent_and_never_reach_one():
    parts = torch.logspace(-9, 0, 500, dtype=torch.double)
    codes = encoded(parts)
    assert int(codes.min()) == 1
    assert int(codes.max()) <= 0xFFFF
    torch.testing.assert_close(decoded(codes)[:-1], parts[:-1], rtol=2e-4, atol=0)
    assert decoded(codes)[-1] < 1


def good() -> tuple[torch.Tensor, list[Level]]:
    ngrams = packed(KneserNey(stream([[3, 4, 5], [3, 4], [6]]), V, 3), 3)
    return ngrams.unigrams_V.clone(), list(ngrams.levels)


@pytest.mark.parametrize(
    "damage",
    [
        lambda u, ls: u.__setitem__(START_ID, 0.5),
        lambda u, ls: u.__setitem__(3, -0.1),
        lambda u, ls: u.__setitem__(3, 0.0),
        lambda u, ls: u.mul_(2),
        lambda u, ls: ls[0].words_G.__setitem__(0, V),
        lambda u, ls: ls[0].words_G.__setitem__(0, -1),
        lambda u, ls: ls[0].codes_G.__setitem__(0, 0),
        lambda u, ls: ls[0].codes_G.__setitem__(0, 70_000),
        lambda u, ls: ls[0].children_P.__setitem__(0, 9),
        lambda u, ls: ls[0].children_P.__setitem__(slice(0, 2), torch.tensor([5, -5])),
        lambda u, ls: ls.__delitem__(0),
        lambda u, ls: ls.__setitem__(1, Level(ls[1].words_G.flip(0), ls[1].codes_G, ls[1].children_P)),
        lambda u, ls: ls.__setitem__(1, Level(ls[1].words_G[1:], ls[1].codes_G, ls[1].children_P)),
    ],
)
def test_what_does_not_fit_together_is_refused(damage):
    unigrams, levels = good()
    PackedNgrams(unigrams, levels)
    damage(unigrams, levels)
    with pytest.raises(ModelFileError, match="n-grams: "):
        PackedNgrams(unigrams, levels)
