import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from conftest import CELLS, make_model
from hypothesis import given
from hypothesis import strategies as st

from langmodel.errors import ConfigError, SamplingError
from langmodel.inference.drawing import SamplingRequest
from langmodel.inference.language_model import LanguageModel
from langmodel.inference.sampling import draw
from langmodel.inference.settings import SamplingSettings
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID, Vocabulary


def biased(id: int, by: float, cell: str = "lstm", **changes: object) -> LanguageModel:
    """A model that is pushed towards one id."""
    lm = make_model(cell, **changes)
    with torch.no_grad():
        lm.network.output_bias[id] += by
    return lm


def chi_square_limit(cells: int) -> float:
    """The 0.9999 quantile, by Wilson and Hilferty's approximation."""
    k = cells - 1
    return k * (1 - 2 / (9 * k) + 3.72 * math.sqrt(2 / (9 * k))) ** 3


def first_word_probabilities(lm: LanguageModel) -> dict[str, float]:
    return {word.word: word.probability for word in lm.next_words("", k=20)}


def assert_drawn_from(expected: dict[str, float], counts: Counter[str]) -> None:
    n = counts.total()
    assert set(counts) <= {word for word, p in expected.items() if p > 0}
    statistic = sum((counts[w] - n * p) ** 2 / (n * p) for w, p in expected.items() if p > 0)
    assert statistic < chi_square_limit(len(expected))


def first_words(lm: LanguageModel, n: int, **settings: object) -> Counter[str]:
    sentences = lm.sample(n, seed=5, settings=SamplingSettings(max_length=1, **settings))
    return Counter(s.words[0] if s.words else "</s>" for s in sentences)


@pytest.mark.parametrize("cell", CELLS)
def test_words_come_as_often_as_the_renormalised_softmax_says(cell):
    lm = biased(UNK_ID, 2.0, cell)
    raw = first_word_probabilities(lm)
    unk = raw.pop("<unk>")
    assert unk > 0.2
    expected = {word: p / (1 - unk) for word, p in raw.items()}
    assert_drawn_from(expected, first_words(lm, 20_000, min_length=0))


def test_rejecting_unk_by_hand_gives_the_same_distribution():
    lm = biased(UNK_ID, 1.0)
    kept = first_words(lm, 40_000, min_length=0, unk="keep")
    assert_drawn_from(first_word_probabilities(lm), kept)
    del kept["<unk>"]
    masked = first_words(lm, 40_000, min_length=0)
    expected = {word: count / kept.total() for word, count in kept.items()}
    statistic = sum((masked[w] - 40_000 * p) ** 2 / (80_000 * p) for w, p in expected.items())
    assert statistic < chi_square_limit(len(expected))


def test_whole_sentences_come_as_often_as_their_score_says():
    lm = biased(END_ID, 1.0)
    settings = SamplingSettings(min_length=0, unk="keep")
    counts = Counter(" ".join(s.words) for s in lm.sample(20_000, seed=3, settings=settings))
    for text, count in counts.most_common(8):
        probability = math.exp(lm.score(text).log_prob) if "<unk>" not in text else None
        if probability is not None:
            spread = math.sqrt(20_000 * probability * (1 - probability))
            assert abs(count - 20_000 * probability) < 5 * spread


def test_dropping_sentences_with_unk_is_another_distribution_than_renormalising():
    lm = biased(UNK_ID, 1.5)
    dropped = lm.sample(4_000, seed=1, settings=SamplingSettings(unk="resample-sentence"))
    masked = lm.sample(4_000, seed=1)
    assert not any("<unk>" in s.words for s in dropped)

    def mean_length(sentences):
        return sum(len(s.words) for s in sentences) / len(sentences)

    assert mean_length(dropped) < 0.8 * mean_length(masked)  # long ones met UNK


@pytest.mark.parametrize("cell", CELLS)
def test_neither_unk_nor_start_is_ever_drawn(cell):
    lm = biased(UNK_ID, 1e4, cell)
    with torch.no_grad():
        lm.network.output_bias[START_ID] += 1e4
    for sentence in lm.sample(200, seed=1):
        assert not {"<unk>", "<s>", "</s>"} & set(sentence.words)


def test_a_model_that_only_knows_unk_cannot_resample_sentences_and_says_so():
    with pytest.raises(SamplingError, match=r"0 of .* use --unk reject"):
        biased(UNK_ID, 1e4).sample(2, seed=1, settings=SamplingSettings(unk="resample-sentence"))


def test_a_model_that_never_ends_is_cut_off_and_says_so():
    sentences = biased(END_ID, -1e4).sample(20, seed=1, settings=SamplingSettings(max_length=9))
    assert all(len(s.words) == 9 and not s.finished for s in sentences)


def test_min_length_holds_for_a_model_that_always_ends():
    sentences = biased(END_ID, 1e4).sample(20, seed=1, settings=SamplingSettings(min_length=7))
    assert all(len(s.words) == 7 and s.finished for s in sentences)


def test_the_empty_sentence_can_be_drawn_when_allowed():
    sentences = biased(END_ID, 1e4).sample(3, seed=1, settings=SamplingSettings(min_length=0))
    assert [(s.words, s.text) for s in sentences] == [((), "")] * 3


def test_a_vocabulary_without_words_to_draw_is_an_error():
    lm = make_model(words=("a",))
    with torch.no_grad():
        lm.network.output_bias[3] = -torch.inf
    with pytest.raises(SamplingError, match="every word is ruled out"):
        lm.sample(1, seed=1)


@pytest.mark.parametrize("cell", CELLS)
def test_the_log_probability_of_a_sample_is_its_score(cell):
    lm = make_model(cell)
    for sentence in lm.sample(30, seed=2):
        if sentence.finished:
            assert sentence.log_prob == pytest.approx(lm.score(" ".join(sentence.words)).log_prob, abs=1e-4)


def test_the_same_seed_gives_the_same_sentences():
    lm = make_model()
    assert lm.sample(20, seed=7) == lm.sample(20, seed=7)
    assert lm.sample(20, seed=7) != lm.sample(20, seed=8)
    assert lm.sample(20) != lm.sample(20)


RARE = Vocabulary(("seldom", "hardly", "scarcely"), (3, 2, 1))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"include": ("a",)},
        {"settings": SamplingSettings(unk="resample-sentence")},
        {"settings": SamplingSettings(unk="copy-rare"), "rare_words": RARE},
        {"settings": SamplingSettings(temperature=0, max_length=5)},
    ],
)
def test_the_first_sentences_do_not_depend_on_how_many_are_wanted(options):
    lm = make_model()
    many = lm.sample(2_100, seed=1, **options)
    for count in (0, 1, 3, 40, 1_024, 1_500):
        few = lm.sample(count, seed=1, **options)
        assert [sentence.words for sentence in few] == [sentence.words for sentence in many[:count]]


def test_seeds_may_be_numpy_s_and_settings_are_checked():
    lm = make_model()
    assert lm.sample(3, seed=np.int64(5)) == lm.sample(3, seed=5)
    with pytest.raises(TypeError):
        lm.sample(1, seed=1.5)
    with pytest.raises(ConfigError, match="max length must be a whole number"):
        SamplingSettings(max_length=2.5)
    with pytest.raises(ConfigError, match="temperature must be a number"):
        SamplingSettings(temperature="0.5")


def test_sentences_come_as_they_are_drawn():
    drawn = make_model().draw(10**9, SamplingRequest(), seed=1)
    assert [tries for _, tries in itertools.islice(drawn, 2_000)] == list(range(1, 2_001))


def test_temperature_zero_always_takes_the_likeliest_word():
    lm = make_model()
    (sentence,) = set(lm.sample(5, settings=SamplingSettings(temperature=0, unk="keep", max_length=6)))
    words: list[str] = []
    while len(words) < 6:
        best = next(w for w in lm.next_words(" ".join(words), k=3) if words or w.word != "</s>").word
        if best == "</s>":
            break
        words.append(best)
    assert list(sentence.words) == words


def test_temperature_zero_draws_once_for_any_number_of_sentences():
    lm, settings = make_model(), SamplingSettings(temperature=0, max_length=5)
    (one,) = lm.sample(1, settings=settings)
    word = one.words[0]
    assert lm.sample(1_500, settings=settings, include=[word]) == [one] * 1_500
    absent = next(word for word in "abcde" if word not in one.words)
    with pytest.raises(SamplingError, match=f"0 of 1 sentences had the word '{absent}'"):
        lm.sample(1_500, settings=settings, include=[absent])


def test_a_prefix_is_kept_counted_and_conditioned_on():
    lm = make_model()
    sentences = lm.sample(2_000, seed=1, prefix="A b", settings=SamplingSettings(max_length=3, unk="keep"))
    assert all(s.words[:2] == ("a", "b") for s in sentences)
    third = Counter(s.words[2] if len(s.words) > 2 else "</s>" for s in sentences)
    assert_drawn_from({w.word: w.probability for w in lm.next_words("a b", k=9)}, third)


def test_a_prefix_of_unknown_words_is_kept_as_written():
    sentence = make_model().sample(1, seed=1, prefix="Zebra")[0]
    assert sentence.words[0] == "zebra"
    assert sentence.text.startswith("zebra")


def test_a_prefix_without_room_is_refused():
    with pytest.raises(ConfigError, match="raise it"):
        make_model().sample(1, prefix="a b", settings=SamplingSettings(max_length=2))


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300).filter(any),
    st.floats(0, 1, exclude_max=True),
)
def test_no_draw_falls_on_a_word_without_probability(row, uniform):
    probabilities = torch.tensor([row])
    (id,) = draw(probabilities, torch.tensor([uniform], dtype=torch.float64)).tolist()
    assert probabilities[0, id] > 0
    total = probabilities.double().sum().item()
    below = probabilities[0, :id].double().sum().item()
    assert below <= uniform * total * (1 + 1e-6) + 1e-12
    assert below + probabilities[0, id].item() >= uniform * total * (1 - 1e-6) - 1e-12


@pytest.mark.parametrize("nothing", [0, 130])
def test_a_grid_of_uniform_numbers_draws_every_word_in_proportion(nothing):
    weights = ((torch.arange(500) + 3) % 7).float()
    weights[:nothing] = 0  # 130: the whole first block, and a little more
    n = int(weights.sum())
    uniform = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    ids = draw(weights.expand(n, -1), uniform)
    assert torch.bincount(ids, minlength=500).tolist() == weights.tolist()
    assert draw(weights[None], torch.zeros(1, dtype=torch.float64)).item() == weights.nonzero()[0].item()


def test_the_largest_uniform_number_draws_the_last_word_with_probability():
    probabilities = torch.zeros(1, 500)
    probabilities[0, 130] = 1e-30
    assert draw(probabilities, torch.tensor([1 - 2**-53], dtype=torch.float64)).item() == 130


def test_a_sentence_goes_on_after_an_unknown_word_that_is_kept():
    sentences = biased(UNK_ID, 2.0).sample(50, seed=1, settings=SamplingSettings(unk="keep", max_length=8))
    assert any("<unk>" in sentence.words[:-1] for sentence in sentences)


def test_whole_sentences_that_are_drawn_again_are_whole():
    sentences = make_model().sample(50, seed=1, settings=SamplingSettings(unk="resample-sentence"))
    assert all(sentence.finished for sentence in sentences)
    assert max(len(sentence.words) for sentence in sentences) > 2
