"""The training loop. It knows nothing of files or terminals: it reports to an observer."""

# T = time, B = batch, N = tokens

import logging
import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from langmodel.errors import ConfigError, TrainingError
from langmodel.network.cells import State, detach_state
from langmodel.network.evaluation import Interrupted, evaluate_windows, evaluation_windows
from langmodel.network.likelihood import nll_sum
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import DocumentWindows, IdArray, SentenceWindows, Window, Windows
from langmodel.storage.training_state import TrainingState
from langmodel.text.vocabulary import END_ID
from langmodel.training.config import TrainingConfig
from langmodel.training.optimization import OPTIMIZERS, SCHEDULES
from langmodel.training.progress import Evaluation, Observer, Progress

_log = logging.getLogger(__name__)

EVALUATION_COLUMNS = 20
"""Columns, or sentences, evaluated side by side while training."""

DIVERGED = 10
"""An evaluated loss of more than this many times ln V ends the run."""

UNTRAINED_TOKENS = 20_000
"""The loss before the first step is taken over at most this much."""


class Trainer:
    """Trains a network on a stream of ids by truncated BPTT.

    Every random choice is a function of the seed and the step or the epoch, and evaluation draws
    nothing, so a run that is resumed from `state()` goes on with the bits of one that never stopped.
    """

    def __init__(
        self,
        network: RecurrentLM,
        train_ids: IdArray,
        valid_ids: IdArray,
        config: TrainingConfig,
        resume: TrainingState | None = None,
    ) -> None:
        self.network = network
        self.config = config
        self.progress = Progress()
        self._windows = training_windows(train_ids, config)
        self._valid_windows: Windows | None = None
        if len(valid_ids):
            self._valid_windows = evaluation_windows(valid_ids, config.context, EVALUATION_COLUMNS)
        judged = valid_ids if len(valid_ids) else train_ids
        self._untrained_ids = _whole_sentences(judged, UNTRAINED_TOKENS)
        self.total_steps = self._windows.per_epoch * config.epochs
        self.total_tokens = self._windows.tokens * config.epochs
        self._parameters = list(network.parameters())
        self._optimizer = OPTIMIZERS[config.optimizer](self._parameters, config)
        self._schedule = SCHEDULES[config.schedule](self.total_steps)
        self._state: State = network.zero_state(1)
        self._dropout = torch.Generator(network.device)
        if resume is not None:
            self._restore(resume)

    def train(
        self,
        observer: Observer,
        should_stop: Callable[[], bool] = lambda: False,
        interrupt_evaluation: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Run to the end of the last epoch, or until patience is out or `should_stop()` after a step.

        `interrupt_evaluation` is asked inside evaluations too; one that is cut short is made later.
        Returns whether the run is finished; if not, `state()` goes on from where it stopped.
        Raises TrainingError when loss or gradient is no longer finite (more often in a row than
        `skip_limit`, where skipping is allowed); the weights are then those before the step.
        """
        progress = self.progress
        if not progress.step:
            untrained = evaluate_windows(
                self.network,
                evaluation_windows(self._untrained_ids, self.config.context, EVALUATION_COLUMNS),
            )
            observer.on_start(untrained.loss, self.total_tokens)
        self.network.train()
        windows = self._windows.epoch(progress.epoch, progress.window)
        while True:
            if self._evaluation_is_due():
                try:
                    self._evaluate(observer, interrupt_evaluation)
                except Interrupted:
                    return False  # it is still due when the run goes on
            if progress.epoch >= self.config.epochs or self._out_of_patience():
                return True
            if should_stop():
                return False
            window = next(windows)
            loss = self.train_step(window.to(self.network.device))
            progress.window += 1
            if progress.window == self._windows.per_epoch:
                progress.epoch, progress.window = progress.epoch + 1, 0
                windows = self._windows.epoch(progress.epoch)
            observer.on_step(loss, window.tokens)

    def _evaluation_is_due(self) -> bool:
        progress, every = self.progress, self.config.evaluate_every
        if progress.step == progress.evaluated_step:
            return False
        return progress.epoch >= self.config.epochs or (
            progress.step % every == 0 if every else progress.window == 0
        )

    @property
    def learning_rate(self) -> float:
        """Of the next step."""
        return self.config.learning_rate * self._schedule.share(self.progress.step)

    def train_step(self, window: Window) -> float:
        """Forward, backward, clip, update; the window's mean nats per token."""
        network, progress = self.network, self.progress
        if window.fresh:
            self._state = network.zero_state(window.inputs_TB.shape[1])
        self._dropout.manual_seed(step_seed(self.config.seed, progress.step))
        hidden_TBO, state = network(window.inputs_TB, self._state, self._dropout)
        total = nll_sum(window.real(hidden_TBO), network.output_weight, network.output_bias, window.targets_N)
        self._optimizer.zero_grad(set_to_none=True)
        (total / window.tokens).backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        nll, gradient_norm = float(total.detach()), float(norm)
        if not (math.isfinite(nll) and math.isfinite(gradient_norm)):
            self._skip_or_stop("the gradient" if math.isfinite(nll) else "the loss")
            return nll / window.tokens
        progress.skipped_in_a_row = 0
        if self.config.clip:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self.config.clip, norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        self._optimizer.step()
        self._state = detach_state(state)
        progress.step += 1
        progress.tokens += window.tokens
        progress.train_nll += nll
        progress.train_tokens += window.tokens
        return nll / window.tokens

    def _skip_or_stop(self, what: str) -> None:
        """Leave weights and state as they were before the step, and go on if that is allowed."""
        progress, config = self.progress, self.config
        place = f"step {progress.step + 1}, epoch {progress.epoch + 1}: {what} is no longer a finite number"
        progress.step += 1
        progress.skipped_in_a_row += 1
        if config.on_nonfinite == "stop" or progress.skipped_in_a_row > config.skip_limit:
            skipped = progress.skipped_in_a_row - 1
            raise TrainingError(
                f"{place}{f', after {skipped} skipped in a row' if skipped else ''}; "
                f"lower --learning-rate (now {self.learning_rate:.3g}) or --clip (now {config.clip:g})"
            )
        _log.warning("%s; step skipped", place)

    def _evaluate(self, observer: Observer, should_stop: Callable[[], bool]) -> None:
        progress = self.progress
        valid = None
        if self._valid_windows is not None:
            valid = evaluate_windows(self.network, self._valid_windows, should_stop)
        train_loss = progress.train_nll / max(1, progress.train_tokens)
        loss = train_loss if valid is None else valid.loss
        knowing_nothing = math.log(self.network.architecture.vocabulary_size)
        if not loss <= DIVERGED * knowing_nothing:
            raise TrainingError(
                f"step {progress.step}: training has diverged: the evaluated loss is {loss:.3g} nats; "
                f"of an untrained network it is {knowing_nothing:.3g}; lower --learning-rate (now "
                f"{self.config.learning_rate:.3g}) or --clip (now {self.config.clip:g})"
            )
        progress.evaluated_step = progress.step
        is_best = loss < progress.best_loss
        progress.evaluations += 1
        if is_best:
            progress.best_loss, progress.best_step = loss, progress.step
            progress.evaluations_since_best = 0
        else:
            progress.evaluations_since_best += 1
        rate = self.config.learning_rate * self._schedule.share(progress.step - 1)
        self._schedule.evaluated(loss)
        progress.train_nll, progress.train_tokens = 0.0, 0
        observer.on_evaluation(
            Evaluation(
                progress.evaluations,
                progress.step,
                progress.epoch,
                progress.tokens,
                rate,
                train_loss,
                valid,
                is_best,
            )
        )

    def _out_of_patience(self) -> bool:
        patience = self.config.patience
        return bool(patience) and self.progress.evaluations_since_best >= patience

    def state(self) -> TrainingState:
        """All that a new Trainer needs, with the network's weights, to go on bit for bit."""
        tensors = {
            f"carried.{layer}.{part}": tensor
            for layer, layer_state in enumerate(self._state)
            for part, tensor in enumerate(layer_state)
        }
        for index, parameter in enumerate(self._parameters):
            for name, value in self._optimizer.state[parameter].items():
                tensors[f"optimizer.{index}.{name}"] = value
        values: dict[str, Any] = {
            "config": self.config.to_dict(),
            "progress": {n: v if v != math.inf else None for n, v in asdict(self.progress).items()},
            "schedule": {n: v if v != math.inf else None for n, v in asdict(self._schedule).items()},
        }
        return TrainingState(values, {name: tensor.detach().clone() for name, tensor in tensors.items()})

    def _restore(self, saved: TrainingState) -> None:
        try:
            for target, part in ((self.progress, "progress"), (self._schedule, "schedule")):
                for name in asdict(target):
                    value = saved.values[part][name]
                    setattr(target, name, math.inf if value is None else value)
            device = self.network.device
            self._state = tuple(
                tuple(saved.tensors[f"carried.{layer}.{part}"].to(device) for part in range(len(zero)))
                for layer, zero in enumerate(self._state)
            )
            for name, tensor in saved.tensors.items():
                kind, _, rest = name.partition(".")
                if kind == "optimizer":
                    index, _, moment = rest.partition(".")
                    parameter = self._parameters[int(index)]
                    on = parameter.device if tensor.dim() else "cpu"
                    self._optimizer.state[parameter][moment] = tensor.to(on)
        except (LookupError, TypeError, ValueError) as error:
            raise ConfigError(f"the training state does not fit this model ({error!r})") from None


def step_seed(seed: int, step: int) -> int:
    """A seed for the dropout of one step; mixed well, for a CPU generator looks at its low 32 bits only."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])


def training_windows(ids: IdArray, config: TrainingConfig) -> Windows:
    """Raises ConfigError when there are fewer tokens than columns."""
    if config.context == "sentence":
        return SentenceWindows(ids, batch_size=config.batch_size, bptt=config.bptt, shuffle_seed=config.seed)
    if config.batch_size > len(ids):
        raise ConfigError(
            f"batch size {config.batch_size} but the training split has {len(ids)} tokens; "
            f"set --batch-size to at most {len(ids)}"
        )
    return DocumentWindows(ids, batch_size=config.batch_size, bptt=config.bptt)


def _whole_sentences(ids: IdArray, at_most: int) -> IdArray:
    if len(ids) <= at_most:
        return ids
    ends = (ids[:at_most] == END_ID).nonzero()[0]
    return ids[: ends[-1] + 1] if len(ends) else ids[:at_most]
