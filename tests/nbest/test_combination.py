import pytest

from langmodel.nbest.combination import Combination, tune
from langmodel.nbest.format import IMPOSSIBLE
from langmodel.nbest.hypotheses import Hypothesis


def entry(list_id: str, text: str, own: float, own_lm: float = 0.0) -> Hypothesis:
    return Hypothesis(list_id, text, (), own, own_lm)


def test_a_total_worked_by_hand():
    hypothesis = entry("1", "a b c", own=-10.0, own_lm=-4.0)
    assert Combination(weight=2, bonus=0.5, share=1).total(hypothesis, -6.0) == -10 - 12 + 1.5
    assert Combination(weight=2, bonus=0.5, share=0.25).total(hypothesis, -6.0) == -10 + 2 * -4.5 + 1.5


def test_an_old_score_that_is_impossible_has_no_part_in_a_share_of_one():
    assert Combination().total(entry("1", "a", -1.0, IMPOSSIBLE), -2.0) == -3.0


def test_tuning_finds_the_weight_that_the_errors_ask_for():
    # In both lists the second entry is right; the model favours it by 3 nats, the list the other by 6.
    hypotheses = [entry("1", "a b", -1), entry("1", "a c", -7), entry("2", "x", -2), entry("2", "y", -8)]
    log_probs = [-9.0, -6.0, -5.0, -2.0]
    tuned = tune(hypotheses, log_probs, [1, 0, 1, 0], 3, lm_apart=False)
    assert (tuned.errors_before, tuned.errors_after, tuned.errors_least) == (2, 0, 0)
    totals = [tuned.combination.total(h, p) for h, p in zip(hypotheses, log_probs, strict=True)]
    assert totals[1] > totals[0]
    assert totals[3] > totals[2]
    assert tuned.combination.weight > 2


def test_of_equally_good_weights_the_smallest_is_taken():
    hypotheses = [entry("1", "a", -1), entry("1", "b", -2)]
    tuned = tune(hypotheses, [-1.0, -2.0], [0, 1], 1, lm_apart=False)
    assert (tuned.combination.weight, tuned.combination.bonus) == (0, 0)


@pytest.mark.parametrize(("good", "share"), [("new", 1.0), ("old", 0.0)])
def test_tuning_finds_which_language_model_to_trust(good, share):
    right, wrong = -2.0, -4.0
    old = (wrong, right) if good == "old" else (right, wrong)
    new = (right, wrong) if good == "old" else (wrong, right)
    hypotheses = [entry("1", "a", -1, old[0]), entry("1", "b", -1, old[1])]
    tuned = tune(hypotheses, list(new), [1, 0], 1, lm_apart=True)
    assert tuned.errors_after == 0
    assert abs(tuned.combination.share - share) < 0.5


def test_a_list_shorter_than_others_has_no_faultless_entry_but_its_own():
    hypotheses = [entry("1", "a", -1), entry("2", "x", -2), entry("2", "y", -3)]
    tuned = tune(hypotheses, [-1.0, -1.0, -1.0], [4, 3, 2], 9, lm_apart=False)
    assert tuned.errors_least == 4 + 2
