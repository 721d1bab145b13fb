"""Accuracy, F1, calibration and their intervals, against numbers worked out by hand or by others."""

import numpy as np
import pytest

from langmodel.classification.judging import calibration_error, f1_scores, judge
from langmodel.display.judgement import judgement_text
from langmodel.intervals import wilson_interval


def test_wilsons_interval_is_the_published_one():
    # Brown, Cai and DasGupta 2001 give [0.722, 1] for 10 of 10 and [0.236, 0.763] for 5 of 10.
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-3)
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    with pytest.raises(ValueError, match="nothing"):
        wilson_interval(0, 0)


def test_f1_by_hand():
    confusion = np.array([[3, 1, 0], [1, 0, 0], [0, 0, 0]])
    assert f1_scores(confusion).tolist() == pytest.approx([6 / 8, 0, 0])


def test_calibration_error_by_hand():
    confidence, right = np.array([0.95, 0.95, 0.65, 0.65]), np.array([1, 1, 1, 0])
    assert calibration_error(confidence, right) == pytest.approx((2 * 0.05 + 2 * 0.15) / 4)
    assert calibration_error(np.array([1.0]), np.array([1])) == 0


def test_a_judgement_and_its_table():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]] * 25)
    labels = np.array([0, 1, 1, 1] * 25)
    found = judge(probabilities, labels, ("good", "bad"))
    assert (found.accuracy, found.texts) == (0.75, 100)
    assert found.confusion == [[25, 0], [25, 50]]
    assert found.f1 == {"good": pytest.approx(50 / 75), "bad": pytest.approx(100 / 125)}
    low, high = found.f1_intervals["bad"]
    assert low < found.f1["bad"] < high
    assert found.log_loss == pytest.approx(-np.log([0.9, 0.6, 0.2, 0.7]).mean())
    assert found.calibration_interval[0] <= found.calibration_error <= found.calibration_interval[1] + 0.05
    assert judge(probabilities, labels, ("good", "bad")) == found  # the same resamplings
    text = judgement_text(found)
    assert "accuracy             75.0%, 95 % interval 65.7% to 82.5%" in text
    assert text.splitlines()[-2].split() == ["good", "25", "0"]


def test_no_texts_are_no_judgement():
    with pytest.raises(ValueError, match="no texts"):
        judge(np.empty((0, 2)), np.array([], dtype=int), ("a", "b"))
