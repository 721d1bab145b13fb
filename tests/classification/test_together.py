"""A network and a bag of words as one: the weights are found on other texts than those judged."""

import numpy as np
import pytest

from langmodel.classification.together import Predictions, accuracy_together


def sure(labels: np.ndarray, share: float, draw: np.random.Generator) -> np.ndarray:
    """Probabilities that are right for a share of the labels, at random places."""
    said = np.where(draw.random(len(labels)) < share, labels, 1 - labels)
    return np.where(said[:, None] == [0, 1], 0.9, 0.1)


def predictions(texts: int, network: float, bag: float) -> Predictions:
    draw = np.random.default_rng(texts)
    labels = draw.integers(0, 2, texts)
    return Predictions(sure(labels, network, draw), sure(labels, bag, draw), labels)


def test_the_product_of_powers_is_a_distribution():
    made = Predictions(np.array([[0.2, 0.8]]), np.array([[0.6, 0.4]]), np.array([1]))
    found = np.exp(made.together((2.0, 0.5)))
    weights = np.array([0.2**2 * 0.6**0.5, 0.8**2 * 0.4**0.5])
    assert found[0] == pytest.approx(weights / weights.sum())


@pytest.mark.parametrize(("network", "bag", "expected"), [(0.95, 0.5, 0.95), (0.5, 0.95, 0.95)])
def test_one_that_knows_nothing_does_not_harm_the_other(network, bag, expected):
    fitted, judged = predictions(400, network, bag), predictions(2_000, network, bag)
    assert accuracy_together(fitted, judged) == pytest.approx(expected, abs=0.02)


def test_probabilities_that_are_too_sure_are_tempered():
    fitted = predictions(400, 0.8, 0.9)
    boastful = Predictions(fitted.network**40, fitted.bag, fitted.labels)
    boastful = Predictions(
        boastful.network / boastful.network.sum(1, keepdims=True), boastful.bag, boastful.labels
    )
    assert accuracy_together(boastful, boastful) >= 0.88


def test_without_other_texts_each_half_is_judged_by_the_other():
    made = predictions(1_000, 0.7, 0.7)
    halves = made.part(slice(0, None, 2)), made.part(slice(1, None, 2))
    right = halves[0].right(halves[1].best_powers()) + halves[1].right(halves[0].best_powers())
    assert accuracy_together(made) == right / 1_000


def test_a_probability_of_nothing_is_not_the_end():
    made = Predictions(np.array([[0.0, 1.0]] * 4), np.array([[0.9, 0.1]] * 4), np.array([0, 0, 0, 1]))
    assert np.isfinite(made.together(made.best_powers())).all()
