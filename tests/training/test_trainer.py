import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from conftest import CELLS, POEM, make_network

from langmodel.errors import ConfigError, TrainingError
from langmodel.network.dropout import NO_DROPOUT, step_seed
from langmodel.network.evaluation import evaluate_windows, evaluation_windows
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import DocumentWindows
from langmodel.storage.training_state import TrainingState
from langmodel.text.vocabulary import END_ID
from langmodel.training.config import TrainingConfig
from langmodel.training.objective import Objective
from langmodel.training.progress import Evaluation
from langmodel.training.schedules import SCHEDULES
from langmodel.training.trainer import Trainer

WORDS = sorted(set(POEM.split()))
IDS = np.array(
    [id for line in POEM.splitlines() * 4 for id in [*(3 + WORDS.index(w) for w in line.split()), END_ID]],
    np.uint16,
)
VOCABULARY_SIZE = 3 + len(WORDS)

TINY = TrainingConfig(
    embedding_size=8, hidden_size=(10,), dropout=(0.2,), bptt=5, batch_size=3, epochs=3, learning_rate=0.02
)


@dataclass
class Recorder:
    """An observer that can stop a run after some steps."""

    stop_after: int | None = None
    losses: list[float] = field(default_factory=list)
    evaluations: list[Evaluation] = field(default_factory=list)
    untrained: float | None = None

    def on_start(self, untrained_loss: float, total_tokens: int) -> None:
        self.untrained = untrained_loss

    def on_step(self, loss: float, tokens: int) -> None:
        self.losses.append(loss)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self.evaluations.append(evaluation)

    def on_save(self, state: TrainingState) -> None:
        self.saved = state

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.losses) >= self.stop_after


def make_trainer(config: TrainingConfig, resume=None, network=None, valid=IDS[:60]) -> Trainer:
    if network is None:
        generator = torch.Generator().manual_seed(config.seed)
        network = RecurrentLM(config.architecture(VOCABULARY_SIZE), generator)
    return Trainer(network, IDS, valid, config, resume)


def run(config: TrainingConfig, **more: object) -> tuple[Trainer, Recorder]:
    trainer, recorder = make_trainer(config, **more), Recorder()
    assert trainer.train(recorder)
    return trainer, recorder


def weights(trainer: Trainer) -> list[torch.Tensor]:
    return [p.detach().clone() for p in trainer.network.parameters()]


@pytest.mark.parametrize("context", ["document", "sentence"])
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_learns_the_poem_in_either_context(cell, context):
    config = replace(TINY, cell=cell, context=context, dropout=(0.0,), epochs=25)
    _, recorder = run(config)
    assert recorder.untrained == pytest.approx(math.log(VOCABULARY_SIZE), abs=0.25)
    assert recorder.evaluations[-1].valid.loss < 0.6 * recorder.untrained


def test_a_model_memorises_three_sentences():
    sentences = [[3, 4, 5, 6], [4, 3, 3], [6, 6, 5, 4, 3]]
    ids = np.array([id for s in sentences for id in [*s, END_ID]], np.uint16)
    config = replace(TINY, context="sentence", dropout=(0.0,), epochs=150, hidden_size=(32,), patience=0)
    network = RecurrentLM(config.architecture(8), torch.Generator().manual_seed(0))
    trainer, recorder = Trainer(network, ids, ids, config), Recorder()
    trainer.train(recorder)
    # What cannot be known is which of the three begins: ln 3 nats a sentence.
    unavoidable = 3 * math.log(3) / len(ids)
    assert recorder.evaluations[-1].valid.loss == pytest.approx(unavoidable, abs=0.02)


RESUMED = [
    TINY,
    replace(TINY, context="sentence", cell="gru", layers=2, sampled_softmax=True),
    replace(TINY, optimizer="sgd", schedule="halve", learning_rate=2.0, cell="rnn"),
    replace(TINY, evaluate_every=7, schedule="cosine", average="ema", word_dropout=0.1),
    replace(
        TINY,
        random_bptt=True,
        partial_shuffle=True,
        average="tail",
        weight_drop=0.3,
        ar=2.0,
        tar=1.0,
    ),
    replace(
        TINY, optimizer="sgd", schedule="plateau", average="nt-asgd", learning_rate=9.0, evaluate_every=3
    ),
]


@pytest.mark.parametrize("config", RESUMED, ids=["lstm", "sentences", "sgd", "often", "awd", "nt-asgd"])
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(config):
    whole, recorded = run(config)
    for stop_after in (1, len(recorded.losses) // 2, len(recorded.losses) - 1):
        first, before = make_trainer(config), Recorder(stop_after=stop_after)
        assert not first.train(before, before.should_stop)
        state = before.saved
        network = RecurrentLM(config.architecture(VOCABULARY_SIZE))
        network.load_state_dict(first.network.state_dict())
        second, after = make_trainer(config, resume=state, network=network), Recorder()
        assert second.train(after)
        assert before.losses + after.losses == recorded.losses
        for ours, theirs in zip(second.judged.parameters(), whole.judged.parameters(), strict=True):
            assert torch.equal(ours, theirs)
        assert before.evaluations + after.evaluations == recorded.evaluations
        for ours, theirs in zip(weights(second), weights(whole), strict=True):
            assert torch.equal(ours, theirs)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    one, two, other = run(TINY)[0], run(TINY)[0], run(replace(TINY, seed=2))[0]
    assert all(torch.equal(a, b) for a, b in zip(weights(one), weights(two), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_sampling_and_global_randomness_do_not_touch_training():
    class Noisy(Recorder):
        def on_step(self, loss: float, tokens: int) -> None:
            super().on_step(loss, tokens)
            torch.rand(3)

    trainer, recorder = make_trainer(TINY), Noisy()
    trainer.train(recorder)
    assert recorder.losses == run(TINY)[1].losses


def test_patience_ends_a_run_that_no_longer_improves():
    config = replace(TINY, learning_rate=0.0, epochs=50, patience=3, dropout=(0.0,))
    trainer, recorder = run(config)
    assert trainer.progress.epoch == 4  # the first evaluation is the best, three more are not
    assert [evaluation.is_best for evaluation in recorder.evaluations] == [True, False, False, False]


def test_a_rate_of_zero_changes_no_weight():
    trainer = make_trainer(replace(TINY, learning_rate=0.0, epochs=1))
    before = weights(trainer)
    trainer.train(Recorder())
    assert all(torch.equal(a, b) for a, b in zip(weights(trainer), before, strict=True))


class StopsInEvaluation(Recorder):
    """Asks to stop while an evaluation is going on."""

    def __init__(self, network: RecurrentLM, after_steps: int) -> None:
        super().__init__()
        self.network, self.after_steps = network, after_steps

    def should_stop(self) -> bool:
        return len(self.losses) >= self.after_steps and not self.network.training


def test_a_run_stopped_inside_an_evaluation_makes_it_when_it_goes_on():
    whole, recorded = run(TINY)
    first = make_trainer(TINY)
    before = StopsInEvaluation(first.network, len(recorded.losses) // 3)
    assert not first.train(before, interrupt_evaluation=before.should_stop)
    assert before.evaluations == []
    network = RecurrentLM(TINY.architecture(VOCABULARY_SIZE))
    network.load_state_dict(first.network.state_dict())
    second, after = make_trainer(TINY, resume=first.state(), network=network), Recorder()
    assert second.train(after)
    assert after.evaluations == recorded.evaluations
    assert before.losses + after.losses == recorded.losses
    for ours, theirs in zip(weights(second), weights(whole), strict=True):
        assert torch.equal(ours, theirs)


def test_an_evaluated_loss_that_is_no_number_stops_the_run():
    trainer = make_trainer(TINY)

    class Explodes(Recorder):
        def on_step(self, loss: float, tokens: int) -> None:
            super().on_step(loss, tokens)
            if trainer.progress.window == 0:
                with torch.no_grad():
                    trainer.network.output_bias.fill_(math.nan)

    recorder = Explodes()
    with pytest.raises(TrainingError, match="training has diverged"):
        trainer.train(recorder)
    assert recorder.evaluations == []


def test_dropout_draws_another_mask_at_every_step_and_for_every_seed():
    def losses(seed: int) -> list[float]:
        # The same window at every step and no learning: only the mask can change the loss.
        config = replace(
            TINY, learning_rate=0.0, dropout=(0.5,), bptt=1_000, batch_size=1, epochs=12, patience=0
        )
        return run(replace(config, seed=seed))[1].losses

    first, second = losses(1), losses(2)
    assert len(set(first)) == len(set(second)) == 12
    seeds = {step_seed(seed, step) % 2**32 for seed in range(50) for step in range(50)}
    assert len(seeds) == 2_500


def test_large_seeds_work_and_differ():
    losses = [run(replace(TINY, epochs=1, seed=seed))[1].losses for seed in (20261121, 2**32 - 1)]
    assert losses[0] != losses[1]
    with pytest.raises(ConfigError, match="seed"):
        replace(TINY, seed=2**32)


class Poisoned(Recorder):
    """Makes the loss of some steps infinite, by a bias that is taken back after the step."""

    def __init__(self, trainer: Trainer, steps: set[int]) -> None:
        super().__init__()
        self.trainer, self.steps = trainer, steps
        self._poison()

    def _poison(self) -> None:
        value = math.nan if len(self.losses) in self.steps else 0.0
        with torch.no_grad():
            self.trainer.network.output_bias.fill_(value)

    def on_step(self, loss: float, tokens: int) -> None:
        super().on_step(loss, tokens)
        self._poison()


def test_steps_whose_loss_is_no_number_can_be_skipped():
    config = replace(TINY, on_nonfinite="skip", skip_limit=2, epochs=1)
    trainer = make_trainer(config)
    recorder = Poisoned(trainer, {3, 4, 7})
    assert trainer.train(recorder)
    assert [step for step, loss in enumerate(recorder.losses) if math.isnan(loss)] == [3, 4, 7]
    assert all(bool(p.isfinite().all()) for p in trainer.network.parameters())
    assert math.isfinite(recorder.evaluations[0].train_loss)


def test_too_many_skipped_in_a_row_stop_the_run():
    trainer = make_trainer(replace(TINY, on_nonfinite="skip", skip_limit=2))
    with pytest.raises(TrainingError, match=r"step 6, .* after 2 skipped in a row"):
        trainer.train(Poisoned(trainer, {3, 4, 5}))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_before_the_step(value):
    trainer = make_trainer(TINY)
    with torch.no_grad():
        trainer.network.layers[0].weight_hh[0, 0] = value
    before = weights(trainer)
    with pytest.raises(TrainingError, match=r"step 1, epoch 1: .* lower --learning-rate \(now 0.0"):
        trainer.train(Recorder())
    for ours, theirs in zip(weights(trainer), before, strict=True):
        assert torch.equal(ours, theirs) or torch.equal(ours.isnan(), theirs.isnan())


def test_the_gradient_is_clipped_to_its_norm():
    config = replace(TINY, optimizer="sgd", schedule="constant", learning_rate=1.0, clip=0.01, epochs=1)
    trainer = make_trainer(config)
    before = weights(trainer)

    recorder = Recorder(stop_after=1)
    trainer.train(recorder, recorder.should_stop)
    change = math.sqrt(
        sum(((a - b) ** 2).sum().item() for a, b in zip(weights(trainer), before, strict=True))
    )
    assert change == pytest.approx(0.01, rel=1e-3)


def test_without_a_validation_split_training_judges_itself():
    trainer, recorder = run(TINY, valid=IDS[:0])
    assert all(evaluation.valid is None for evaluation in recorder.evaluations)
    assert trainer.progress.best_loss == min(evaluation.train_loss for evaluation in recorder.evaluations)


def test_one_word_trains():
    ids = np.array([3, END_ID], np.uint16)
    config = replace(TINY, batch_size=1, epochs=2)
    network = RecurrentLM(config.architecture(4))
    assert Trainer(network, ids, ids[:0], config).train(Recorder())


def test_more_columns_than_tokens_are_refused():
    with pytest.raises(ConfigError, match="set --batch-size to at most"):
        make_trainer(replace(TINY, batch_size=10_000))


def test_windows_longer_than_the_data_are_the_data():
    trainer, recorder = run(replace(TINY, bptt=10_000, batch_size=1, epochs=1))
    assert trainer.total_steps == len(recorder.losses) == 1


def test_a_state_of_another_network_is_refused():
    state = run(replace(TINY, layers=2))[0].state()
    with pytest.raises(ConfigError, match="does not fit"):
        make_trainer(replace(TINY, optimizer="sgd", layers=3), resume=state)


def test_a_longer_random_window_takes_a_longer_step():
    trainer = make_trainer(replace(TINY, random_bptt=True, schedule="constant", bptt=20))
    for window in DocumentWindows(IDS, batch_size=3, bptt=9).epoch(0):
        assert trainer.learning_rate(window) == pytest.approx(0.02 * len(window.inputs_TB) / 20)


def test_penalties_pull_on_the_gradient_but_are_no_part_of_the_loss():
    plain, penalised = make_trainer(TINY), make_trainer(replace(TINY, ar=50.0, tar=50.0))
    window = next(DocumentWindows(IDS, batch_size=3, bptt=5).epoch(0))
    assert plain.train_step(window) == penalised.train_step(window)
    assert not all(torch.equal(a, b) for a, b in zip(weights(plain), weights(penalised), strict=True))


def test_activation_regularisation_is_the_mean_square_of_output_and_of_its_change():
    network = make_network(vocabulary_size=VOCABULARY_SIZE)
    window = next(DocumentWindows(IDS, batch_size=3, bptt=5).epoch(0))
    with torch.no_grad():
        hidden, _ = network(window.inputs_TB, network.zero_state(3))
        _, penalty, _ = Objective(network, ar=2.0, tar=0.5)(window, network.zero_state(3), NO_DROPOUT)
    change = hidden[1:] - hidden[:-1]
    expected = 2 * (hidden**2).sum() / hidden.numel() + 0.5 * (change**2).sum() / change.numel()
    assert float(penalty) == pytest.approx(float(expected), rel=1e-5)


def test_the_averaged_weights_are_what_is_evaluated():
    config = replace(TINY, average="ema", learning_rate=0.5, optimizer="sgd", schedule="constant")
    trainer, recorder = run(config)
    assert trainer.judged is not trainer.network
    found = evaluate_windows(trainer.judged, evaluation_windows(IDS[:60], "document", 20))
    assert recorder.evaluations[-1].valid.nll == found.nll


@pytest.mark.parametrize("valid", [True, False])
def test_a_first_sentence_longer_than_what_is_read_untrained_is_read_whole(monkeypatch, valid):
    from langmodel.training import batching

    monkeypatch.setattr(batching, "UNTRAINED_TOKENS", 3)
    long = np.array([4, 5, 4, 5, 4, 5, END_ID, 4, END_ID], np.uint16)
    windows = batching.untrained_windows(IDS if valid else long, long if valid else long[:0], "sentence")
    assert windows.tokens == 7


def test_epochs_without_end_do_not_keep_one_waiting():
    with pytest.raises(ConfigError, match="epochs must be over 0 and at most 100,000"):
        replace(TINY, epochs=10**9)
    assert make_trainer(replace(TINY, epochs=100_000)).total_steps > 10**5


def test_an_evaluation_tells_the_rate_of_the_step_before_it():
    trainer, recorder = run(TINY)
    schedule = SCHEDULES[TINY.schedule](trainer.total_steps)
    assert len(recorder.evaluations) == 3
    for evaluation in recorder.evaluations:
        assert evaluation.learning_rate == TINY.learning_rate * schedule.share(evaluation.step - 1)
