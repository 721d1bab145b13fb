"""Recorded gradients: on a CPU, what is recorded is run again, in the same places of memory."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from test_trainer import IDS, TINY, Recorder, make_trainer, run, weights

from langmodel.errors import ConfigError
from langmodel.network.windows import SentenceWindows
from langmodel.training import gradients
from langmodel.training.gradients import Found, RecordedGradients, Replay

EVERYTHING = replace(
    TINY, cuda_graphs=True, hidden_size=(10, 8), random_bptt=True, partial_shuffle=True, bptt=9,
    dropout=(0.3, 0.2, 0.1), word_dropout=0.1, weight_drop=0.3, ar=2.0, tar=1.0, average="tail",
)  # fmt: skip


class Rerun:
    """Does on a CPU what a GPU's recording does: every replay's results stand where the first ones did."""

    recorded = 0

    def __call__(self, find: Callable[[], Found], generator: torch.Generator | None) -> tuple[Replay, Found]:
        Rerun.recorded += 1
        first = find()

        def replay() -> None:
            again = find()
            first.nll_and_norm.copy_(again.nll_and_norm)
            for old, new in zip(gradients._parts(first.state), gradients._parts(again.state), strict=True):
                old.copy_(new)

        return replay, first


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gradients.RECORDERS, "cpu", Rerun)
    Rerun.recorded = 0


def test_recorded_steps_have_the_bits_of_plain_ones(recording):
    trainer, recorder = run(EVERYTHING)
    windows = [window for epoch in range(EVERYTHING.epochs) for window in trainer._windows.epoch(epoch)]
    assert Rerun.recorded == len({len(window.inputs_TB) for window in windows}) < len(windows)
    plain, plain_recorder = run(replace(EVERYTHING, cuda_graphs=False))
    assert recorder.losses == plain_recorder.losses
    for ours, theirs in zip(weights(trainer), weights(plain), strict=True):
        assert torch.equal(ours, theirs)


def test_a_run_of_recorded_steps_goes_on_with_the_same_bits(recording):
    whole, _ = run(EVERYTHING)
    stopped, recorder = make_trainer(EVERYTHING), Recorder(stop_after=7)
    assert not stopped.train(recorder, recorder.should_stop)
    again = make_trainer(EVERYTHING, recorder.saved, stopped.network)
    assert again.train(Recorder())
    for ours, theirs in zip(weights(again), weights(whole), strict=True):
        assert torch.equal(ours, theirs)


def test_a_skipped_step_leaves_the_state_before_it(recording, monkeypatch):
    config = replace(EVERYTHING, random_bptt=False, on_nonfinite="skip")
    trainer = make_trainer(config)
    windows = trainer._windows.epoch(0)
    trainer.train_step(next(windows))
    state = [part.clone() for part in gradients._parts(trainer._state)]
    before = weights(trainer)
    with torch.no_grad():
        trainer.network.embedding[5] = torch.nan
    trainer.train_step(next(windows))
    assert trainer.progress.skipped_in_a_row == 1
    assert all(torch.equal(a, b) for a, b in zip(state, gradients._parts(trainer._state), strict=True))
    with torch.no_grad():
        trainer.network.embedding[5] = before[0][5]
    trainer.train_step(next(windows))
    assert trainer.progress.skipped_in_a_row == 0
    assert all(bool(weight.isfinite().all()) for weight in weights(trainer))


def test_without_a_device_that_records_steps_are_plain():
    assert not isinstance(make_trainer(EVERYTHING)._gradients, RecordedGradients)


def test_what_cannot_be_recorded_is_refused(recording):
    with pytest.raises(ConfigError, match="cuda graphs are for --context document"):
        replace(TINY, cuda_graphs=True, context="sentence")
    trainer = make_trainer(EVERYTHING)
    padded = next(
        w
        for w in SentenceWindows(IDS, batch_size=3, bptt=9, shuffle_seed=1).epoch(0)
        if w.positions_N is not None
    )
    with pytest.raises(ValueError, match="padding"):
        trainer._gradients.of(padded, trainer.network.zero_state(3), 0)
