import pytest
import torch
from conftest import make_network

from langmodel.training.averages import AVERAGES
from langmodel.training.averaging import AveragedNetwork


def averaged(kind: str, values: list[float], losses: dict[int, float] | None = None) -> AveragedNetwork:
    """Of a network whose every weight takes each of `values`, one a step; `losses` are found after steps."""
    network = make_network()
    average = AveragedNetwork(network, kind, total_steps=len(values))
    for step, value in enumerate(values):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(value)
        average.take_in(step)
        if losses and step in losses:
            average.rule.evaluated(losses[step])
    return average


def judged_value(average: AveragedNetwork) -> float:
    return float(average.judged.embedding.detach().mean())


VALUES = [float(v) for v in range(20)]


def test_without_an_average_the_network_itself_is_judged():
    average = averaged("none", VALUES)
    assert judged_value(average) == 19
    assert average.tensors() == {}


def test_the_tail_is_the_mean_over_the_last_three_tenths():
    assert judged_value(averaged("tail", VALUES)) == pytest.approx(sum(range(14, 20)) / 6)


def test_the_exponential_average_follows_and_lags():
    value = judged_value(averaged("ema", VALUES))
    assert 10 < value < 18
    assert judged_value(averaged("ema", [3.0] * 20)) == pytest.approx(3)


def test_nt_asgd_averages_from_where_the_loss_has_ceased_to_fall():
    falling = {step: 9.0 - 0.1 * step for step in range(20)}
    assert judged_value(averaged("nt-asgd", VALUES, falling)) == 19
    rising_at_nine = {**falling, **dict.fromkeys(range(9, 20), 8.95)}
    assert judged_value(averaged("nt-asgd", VALUES, rising_at_nine)) == pytest.approx(sum(range(10, 20)) / 10)


@pytest.mark.parametrize("kind", AVERAGES)
def test_an_average_goes_on_from_what_was_saved(kind):
    losses = dict.fromkeys(range(20), 5.0) | {0: 4.0}
    whole, first = averaged(kind, VALUES, losses), averaged(kind, VALUES, losses)
    second = AveragedNetwork(make_network(), kind, total_steps=len(VALUES))
    second.restore(first.values(), {name: tensor.clone() for name, tensor in first.tensors().items()})
    assert second.values() == whole.values()
    for ours, theirs in zip(second.tensors().values(), whole.tensors().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_nt_asgd_begins_at_the_very_evaluation_that_is_worse_than_one_five_before():
    rule = AVERAGES["nt-asgd"](total_steps=99)
    for loss in (3.0, 5.0, 5.0, 5.0, 5.0):
        rule.evaluated(loss)
        assert rule.share(1) == 0
    rule.evaluated(3.1)
    assert rule.share(1) == 1
