import pytest

from langmodel.training.schedules import SCHEDULES


def test_half_a_cosine_ends_at_nothing_and_stays_there():
    schedule = SCHEDULES["cosine"](100)
    shares = [schedule.share(step) for step in (0, 50, 100, 150)]
    assert shares == pytest.approx([1, 0.5, 0, 0])


def test_the_rate_is_halved_when_the_evaluated_loss_rises():
    schedule = SCHEDULES["halve"](total_steps=10)
    rates = []
    for loss in (5.0, 4.0, 4.5, 4.4, 4.6):
        schedule.evaluated(loss)
        rates.append(schedule.share(0))
    assert rates == [1, 1, 0.5, 0.5, 0.25]


@pytest.mark.parametrize("name", ["cosine", "one-cycle"])
def test_a_schedule_stays_between_nothing_and_the_whole_rate_and_ends_low(name):
    schedule = SCHEDULES[name](total_steps=100)
    shares = [schedule.share(step) for step in range(101)]
    assert all(0 <= share <= 1 for share in shares)
    assert max(shares) == pytest.approx(1)
    assert shares[-1] <= 0.01 + 1e-9
    peak = shares.index(max(shares))
    assert shares[peak:] == sorted(shares[peak:], reverse=True)


def test_plateau_quarters_the_rate_whenever_the_loss_is_not_the_lowest_so_far():
    schedule = SCHEDULES["plateau"](total_steps=10)
    rates = []
    for loss in (5.0, 4.0, 4.5, 4.2, 3.9):
        schedule.evaluated(loss)
        rates.append(schedule.share(0))
    assert rates == [1, 1, 1 / 4, 1 / 16, 1 / 16]


def test_a_plateau_that_is_only_reached_again_lowers_the_rate():
    schedule = SCHEDULES["plateau"](10)
    schedule.evaluated(2.0)
    schedule.evaluated(2.0)
    assert schedule.share(3) == 0.25
