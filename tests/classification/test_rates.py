"""Learning rates: up, then down on half a cosine; lower layers later and slower."""

import pytest

from langmodel.classification.config import ClassifierConfig
from langmodel.classification.progress import ClassifierProgress
from langmodel.classification.rates import ROUND_SHARE, group_rates

CONFIG = ClassifierConfig(learning_rate=0.5, layer_decay=0.1, thaw=2)


def rates(progress: ClassifierProgress, done: int, groups: int = 1) -> list[float]:
    return group_rates(CONFIG, progress, 100, done, groups)


def test_the_rate_rises_for_a_tenth_of_the_steps_and_falls_to_nothing():
    found = [rates(ClassifierProgress(), done)[0] for done in range(100)]
    assert found[0] == pytest.approx(0.05)
    assert max(found) == found[9]
    assert found[50] == pytest.approx(0.25)
    assert found[99] < 1e-3 * 0.5


def test_one_more_layer_learns_in_every_epoch_of_thawing():
    thawed = [
        [rate > 0 for rate in rates(ClassifierProgress(epoch=epoch), 30, groups=3)] for epoch in range(3)
    ]
    assert thawed == [[True, False, False], [True, True, False], [True, True, True]]


def test_each_layer_is_slower_than_the_one_above():
    top, middle, low = rates(ClassifierProgress(epoch=2), 30, groups=3)
    assert (middle / top, low / top) == pytest.approx((0.1, 0.01))


def test_self_training_keeps_one_rate():
    progress = ClassifierProgress(round=1)
    assert rates(progress, 0) == rates(progress, 99) == [ROUND_SHARE * 0.5]
