"""Which labels are believed."""

import numpy as np

from langmodel.classification.self_training import believed

HALVES = np.array([0.5, 0.5])


def binary(*of_second: float) -> np.ndarray:
    return np.array([[1 - p, p] for p in of_second])


def test_only_the_sure_are_taken_from_both_ends():
    taken = believed(binary(0.95, 0.5, 0.05, 0.9, 0.89, 0.11), 0.1, HALVES)
    assert (taken.rows, taken.labels) == ([0, 2], [1, 0])  # 0.9 is not over 0.9


def test_the_classes_keep_their_shares_and_the_surest_stay():
    probabilities = binary(0.99, 0.97, 0.98, 0.01, 0.96)
    taken = believed(probabilities, 0.1, HALVES)
    assert (taken.rows, taken.labels) == ([0, 3], [1, 0])
    taken = believed(probabilities, 0.1, np.array([0.25, 0.75]))
    assert (taken.rows, taken.labels) == ([0, 1, 2, 3], [1, 1, 1, 0])


def test_nothing_is_taken_if_a_class_has_none():
    assert believed(binary(0.99, 0.98), 0.1, HALVES).rows == []
