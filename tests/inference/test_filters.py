import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from langmodel.errors import ConfigError
from langmodel.inference.filters import ban, make_filters, min_p, temperature, top_k, top_p
from langmodel.inference.settings import SamplingSettings

LOGITS = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).log()


def probabilities(logits: torch.Tensor) -> list[float]:
    return torch.softmax(logits.double(), 1)[0].tolist()


rows = st.lists(st.floats(-1e4, 1e4, width=32), min_size=2, max_size=9)


def test_banned_words_have_no_probability_and_the_rest_grows_in_proportion():
    assert probabilities(ban([3])(LOGITS.clone())) == pytest.approx([1 / 6, 2 / 6, 3 / 6, 0])


def test_temperature_raises_probabilities_to_a_power():
    powers = [p**2 for p in (0.1, 0.2, 0.3, 0.4)]
    assert probabilities(temperature(0.5)(LOGITS.clone())) == pytest.approx([p / sum(powers) for p in powers])


@pytest.mark.parametrize("value", [0.0, 1e-300, 1e-40, 1e-7])
def test_a_temperature_of_almost_nothing_is_argmax(value):
    assert probabilities(temperature(value)(LOGITS.clone())) == [0, 0, 0, 1]


def test_top_k_keeps_the_likeliest():
    assert probabilities(top_k(2)(LOGITS.clone())) == pytest.approx([0, 0, 3 / 7, 4 / 7])
    assert torch.equal(top_k(99)(LOGITS.clone()), LOGITS)


@pytest.mark.parametrize(("p", "kept"), [(0.3, 1), (0.4, 1), (0.41, 2), (0.7, 2), (0.71, 3), (0.95, 4)])
def test_the_nucleus_is_the_smallest_set_that_reaches_p(p, kept):
    filtered = top_p(p)(LOGITS.double())
    assert (filtered > -math.inf).sum() == kept


@given(rows, st.floats(0.01, 3), st.integers(1, 12), st.floats(0.01, 1))
def test_filters_keep_the_likeliest_word_and_a_distribution(row, heat, k, p):
    settings = SamplingSettings(temperature=heat, top_k=k, top_p=p)
    logits = torch.tensor([row])
    filtered = logits.clone()
    for apply in make_filters(settings):
        filtered = apply(filtered)
    assert sum(probabilities(filtered)) == pytest.approx(1)
    assert filtered[0, logits[0].argmax()] == filtered.max() > -math.inf


def test_default_settings_filter_nothing():
    assert make_filters(SamplingSettings()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"top_k": -1},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"top_p": math.nan},
        {"min_p": 1.5},
        {"typical_p": 1.1},
        {"min_length": -1},
        {"max_length": 0},
        {"min_length": 8, "max_length": 7},
        {"unk": "ignore"},
    ],
)
def test_settings_out_of_range_are_refused(changes):
    with pytest.raises(ConfigError):
        SamplingSettings(**changes)


def test_a_nucleus_that_is_reached_exactly_takes_no_further_word():
    uniform_BV = torch.zeros(1, 4)  # a quarter each, exactly
    assert (top_p(0.5)(uniform_BV.clone()) > -torch.inf).sum() == 2
    assert (top_p(0.75)(uniform_BV.clone()) > -torch.inf).sum() == 3


def test_min_p_keeps_what_is_likely_beside_the_likeliest():
    probabilities = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).double()
    kept = min_p(0.3)(probabilities.log()) > -torch.inf
    assert kept.tolist() == [[True, True, True, False]]  # 0.15 is exactly 0.3 of 0.5
    assert (min_p(1.0)(probabilities.log()) > -torch.inf).tolist() == [[True, False, False, False]]
    assert len(make_filters(SamplingSettings(min_p=0.2))) == 1
