"""What a run does with numbers that are none."""

from dataclasses import replace

import pytest
import torch
from test_trainer import IDS, TINY, Recorder, make_trainer, weights

from langmodel.errors import TrainingError
from langmodel.network.windows import DocumentWindows


def test_a_gradient_that_is_no_number_is_caught_before_the_step(monkeypatch):
    trainer = make_trainer(TINY)
    before = weights(trainer)
    monkeypatch.setattr(torch.nn.utils, "get_total_norm", lambda gradients: torch.tensor(torch.inf))
    window = next(DocumentWindows(IDS, batch_size=3, bptt=5).epoch(0))
    with pytest.raises(TrainingError, match="the gradient is no longer a finite number; lower"):
        trainer.train_step(window)
    assert all(torch.equal(a, b) for a, b in zip(weights(trainer), before, strict=True))


@pytest.mark.parametrize(("clip", "says"), [(0.25, r"or --clip \(now 0.25\)"), (0.0, "or set --clip")])
def test_weights_that_a_step_has_ruined_are_not_saved(clip, says):
    ruinous = replace(TINY, optimizer="sgd", schedule="constant", learning_rate=3e39, clip=clip)
    trainer, recorder = make_trainer(ruinous), Recorder(stop_after=1)
    with pytest.raises(TrainingError, match=f"step 1: a weight is no longer a finite number; .*{says}"):
        trainer.train(recorder, recorder.should_stop)
    assert not hasattr(recorder, "saved")


def test_an_interval_of_skipped_steps_is_no_loss_of_nothing(monkeypatch):
    config = replace(TINY, on_nonfinite="skip", skip_limit=1_000, evaluate_every=4)
    trainer, recorder = make_trainer(config, valid=IDS[:0]), Recorder()
    real = torch.nn.utils.get_total_norm
    taken = iter(range(10**6))
    monkeypatch.setattr(
        torch.nn.utils, "get_total_norm", lambda g: real(g) if next(taken) < 4 else torch.tensor(torch.nan)
    )
    with pytest.raises(TrainingError, match="step 8: training has diverged: the evaluated loss is inf"):
        trainer.train(recorder)
    assert [evaluation.step for evaluation in recorder.evaluations] == [4]
    assert trainer.progress.best_step == 4
