"""A training state from elsewhere fits this run, or is refused before a step is taken."""

import copy
from dataclasses import replace

import pytest
import torch
from test_trainer import TINY, Recorder, make_trainer

from langmodel.errors import ConfigError
from langmodel.storage.training_state import TrainingState
from langmodel.training.config import TrainingConfig


def stopped(config: TrainingConfig, steps: int) -> TrainingState:
    """The state of a run that was stopped after so many steps."""
    trainer, recorder = make_trainer(config), Recorder(stop_after=steps)
    assert not trainer.train(recorder, recorder.should_stop)
    return copy.deepcopy(trainer.state())


def tensor(name: str, value: torch.Tensor):
    return lambda state: state.tensors.__setitem__(name, value)


def value(part: str, name: str, value: object):
    return lambda state: state.values[part].__setitem__(name, value)


CHANGES = {
    "carried rows": tensor("carried.0.0", torch.zeros(7, 10)),
    "all carried rows": lambda s: [tensor(f"carried.0.{part}", torch.zeros(2, 10))(s) for part in (0, 1)],
    "carried units": tensor("carried.0.1", torch.zeros(3, 9)),
    "carried type": tensor("carried.0.0", torch.zeros(3, 10, dtype=torch.float64)),
    "carried nan": tensor("carried.0.0", torch.full((3, 10), torch.nan)),
    "no carried": lambda state: state.tensors.pop("carried.0.1"),
    "moment shape": tensor("optimizer.0.exp_avg", torch.zeros(2, 2)),
    "moment type": tensor("optimizer.0.exp_avg_sq", torch.zeros(12, 8, dtype=torch.float16)),
    "step shape": tensor("optimizer.0.step", torch.zeros(3)),
    "unknown moment": tensor("optimizer.0.momentum", torch.zeros(2)),
    "unknown parameter": tensor("optimizer.99.exp_avg", torch.zeros(2)),
    "no parameter": tensor("optimizer.x.exp_avg", torch.zeros(2)),
    "average shape": tensor("average.embedding", torch.zeros(2, 2)),
    "step is text": value("progress", "step", "7"),
    "window past the end": value("progress", "window", 10**9),
    "epoch past the end": value("progress", "epoch", 10**9),
    "negative window": value("progress", "window", -1),
    "loss is a list": value("progress", "best_loss", []),
    "loss is nan": value("progress", "best_loss", float("nan")),
    "no schedule": lambda state: state.values.pop("schedule"),
    "schedule is text": value("schedule", "factor", "much"),
    "count is text": value("average", "count", "1"),
    "losses are text": value("average", "losses", ["1"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_state_that_does_not_fit_is_refused(name):
    config = replace(TINY, average="ema")
    state = stopped(config, 4)
    make_trainer(config, resume=copy.deepcopy(state))  # as it is, it fits
    CHANGES[name](state)
    with pytest.raises(ConfigError, match="does not fit"):
        make_trainer(config, resume=state)


@pytest.mark.parametrize("steps", range(1, 12))
def test_stopped_after_any_step_a_run_goes_on_as_if_it_had_not(steps):
    """Through the end of an epoch and back: state, schedule, average, masks, order."""
    config = replace(
        TINY,
        epochs=2,
        bptt=9,
        random_bptt=True,
        partial_shuffle=True,
        average="tail",
        evaluate_every=5,
    )
    whole, recorded = make_trainer(config), Recorder()
    assert whole.train(recorded)
    first, before = make_trainer(config), Recorder(stop_after=steps)
    assert not first.train(before, before.should_stop)
    second, after = make_trainer(config, resume=first.state(), network=first.network), Recorder()
    assert second.train(after)
    assert before.losses + after.losses == recorded.losses
    for ours, theirs in zip(second.judged.parameters(), whole.judged.parameters(), strict=True):
        assert torch.equal(ours, theirs)
