"""The bags of words: what they learn from, and what they are tried on."""

import numpy as np
import pytest

from langmodel.classification.referee import bags_of_words, features

GOOD, BAD = [["a", "fine", "film"]], [["a", "dull", "film"]]
TRAIN, LABELS = [GOOD, BAD] * 5, np.array([1, 0] * 5)


def test_pairs_do_not_cross_sentences():
    assert features([["a", "b"], ["c"]]) == ["a", "b", "a\tb", "c"]


def test_a_refit_learns_what_only_the_validation_texts_say():
    pytest.importorskip("sklearn")
    valid, valid_labels = [[["splendid"]], [["dreadful"]]] * 5, np.array([1, 0] * 5)
    held_out, held_out_labels = [[["splendid"]], [["dreadful"]]], np.array([1, 0])
    plain, refitted = (
        bags_of_words(TRAIN, LABELS, held_out, held_out_labels, valid, valid_labels, 2, refit=refit)
        for refit in (False, True)
    )
    for before, after in zip(plain, refitted, strict=True):
        assert before.accuracy == 0.5 and after.accuracy == 1.0
        assert np.array_equal(before.valid_probabilities, after.valid_probabilities)
        assert before.probabilities.shape == after.probabilities.shape == (2, 2)


def test_a_text_twice_as_long_is_twice_as_sure_but_not_at_unit_length():
    """Every word of a class says the same: the margin is their sum, at unit length divided by its root."""
    pytest.importorskip("sklearn")
    good, bad = ([[f"{kind}{n}"] for n in range(4)] for kind in ("good", "bad"))
    texts, labels = [good[:2], good[2:]], np.array([1, 1])
    bags = bags_of_words([good, bad] * 5, LABELS, [*texts, good], np.array([1, 1, 1]), texts, labels, 2)
    margins = {bag.name: np.log(bag.probabilities[:, 1] / bag.probabilities[:, 0]) for bag in bags}
    for name, ratio in (("NB-SVM", 2.0), ("unit-length NB-SVM", 2**0.5)):
        assert margins[name][2] == pytest.approx(ratio * margins[name][0], rel=1e-3)
        assert margins[name][0] == pytest.approx(margins[name][1], rel=1e-3)
