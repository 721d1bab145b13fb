import numpy as np
import pytest

from langmodel.ngrams.comparison import best_mixture


def test_where_one_is_better_everywhere_it_has_all_the_weight():
    good, bad = np.full(9, -1.0), np.full(9, -5.0)
    assert best_mixture(good, bad) == (1.0, 1.0)
    assert best_mixture(bad, good) == (0.0, 1.0)


def test_two_that_are_right_in_turn_share_it():
    first = np.log(np.tile([0.9, 0.1], 50))
    weight, loss = best_mixture(first, np.log(np.tile([0.1, 0.9], 50)))
    assert weight == pytest.approx(0.5)
    assert loss == pytest.approx(np.log(2))
