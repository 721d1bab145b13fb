"""The training loop. It knows nothing of files or terminals: it reports to an observer."""

# T = time, B = batch, N = tokens

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch

from langmodel.errors import ConfigError
from langmodel.network.cells import State
from langmodel.network.dropout import NO_DROPOUT, Dropout, DropoutRates
from langmodel.network.evaluation import Interrupted, evaluate_windows
from langmodel.network.precision import tf32_products
from langmodel.network.products import takes_bfloat16
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray, Window
from langmodel.storage.training_state import TrainingState
from langmodel.training import batching
from langmodel.training.averaging import AveragedNetwork
from langmodel.training.config import TrainingConfig
from langmodel.training.distributed import ALONE, Ranks
from langmodel.training.gradients import Gradients
from langmodel.training.health import refuse_ruined_weights, skip_or_stop
from langmodel.training.judging import Judge
from langmodel.training.objective import Objective
from langmodel.training.optimizers import OPTIMIZERS
from langmodel.training.progress import Observer, Progress
from langmodel.training.sampled_softmax import share_at
from langmodel.training.saved_state import (
    carried_tensors,
    named,
    optimizer_tensors,
    plain_fields,
    restore_carried,
    restore_fields,
    restore_optimizer,
    restore_progress,
)
from langmodel.training.schedules import SCHEDULES


def never() -> bool:
    return False


class Trainer:
    """Trains a network on a stream of ids by truncated BPTT.

    Every random choice is a function of the seed and the step or the epoch, and evaluation draws
    nothing, so a run that is resumed from a saved state goes on with the bits of one that never stopped.

    Of several processes, each has a trainer with its own `ranks`, and all take the same steps.
    """

    def __init__(
        self,
        network: RecurrentLM,
        train_ids: IdArray,
        valid_ids: IdArray,
        config: TrainingConfig,
        resume: TrainingState | None = None,
        ranks: Ranks = ALONE,
        *,
        new_cycle: bool = False,
    ) -> None:
        """`new_cycle`: of `resume` only the place is taken; optimizer, schedule and average begin again."""
        self.network = network
        self.config = config
        self.progress = Progress()
        self._ranks = ranks
        self._windows = batching.resident(batching.training_windows(train_ids, config, ranks), network.device)
        self._valid_windows = batching.validation_windows(valid_ids, config.context, ranks)
        self.untrained_windows = batching.untrained_windows(train_ids, valid_ids, config.context)
        self.total_steps = self.steps_of(config.epochs)
        self.tokens_per_epoch = self._windows.tokens
        self.total_tokens = round(self.tokens_per_epoch * config.epochs)
        self.float16 = config.precision == "float16" and network.device.type == "cuda"
        self.bfloat16 = takes_bfloat16(config.precision, network.device)
        objective = Objective(
            network, ar=config.ar, tar=config.tar, float16=self.float16, bfloat16=self.bfloat16
        )
        self._parameters = list(objective.parameters())
        self._kind = OPTIMIZERS[config.optimizer]
        self._optimizer = self._kind.make(self._parameters, config.weight_decay)
        self._state: State = network.zero_state(1)
        self._dropout = self._make_dropout(config)
        if resume is not None:
            self._restore_place(resume, new_cycle)
        cycle_steps = self.total_steps - self.progress.cycle_step
        self._schedule = SCHEDULES[config.schedule](cycle_steps)
        self._average = AveragedNetwork(network, config.average, cycle_steps)
        if resume is not None and not new_cycle:
            self._restore(resume)
        self._judge = Judge(
            self.progress, config, self._schedule, self._average, self._valid_windows, self._parameters, ranks
        )
        self.objective = ranks.share_out(objective)
        self._gradients = Gradients(
            objective=self.objective,
            parameters=self._parameters,
            dropout=self._dropout,
            seed=config.seed,
            vocabulary_size=network.architecture.vocabulary_size,
            products=tf32_products if self.float16 else nullcontext,
        )

    def _make_dropout(self, config: TrainingConfig) -> Dropout:
        input, hidden, output = config.dropout_rates
        rates = DropoutRates(
            input=input, hidden=hidden, output=output, word=config.word_dropout, weight=config.weight_drop
        )
        if rates == DropoutRates():
            return NO_DROPOUT
        return self._ranks.dropout(rates, torch.Generator(self.network.device))

    def steps_of(self, epochs: float) -> int:
        """How many steps so many epochs take; a part of one is rounded to whole windows."""
        whole = int(epochs)
        counts = (
            sum(self._windows.count(epoch) for epoch in range(whole))
            if self.config.random_bptt
            else self._windows.count(0) * whole
        )
        return max(1, counts + round((epochs - whole) * self._windows.count(whole)))

    def windows(self, epoch: int) -> Iterator[Window]:
        """Of one pass over the training split, with this process's columns."""
        return self._windows.epoch(epoch)

    @property
    def is_over(self) -> bool:
        """Whether the last epoch is done."""
        return self.progress.step >= self.total_steps

    @property
    def state_bytes(self) -> int:
        """What a saved state takes with the weights, to a few kilobytes: before the first step too."""
        copies = 1 + len(self._kind.moments) + (self.config.average != "none")
        return 4 * copies * sum(parameter.numel() for parameter in self._parameters)

    @property
    def judged(self) -> RecurrentLM:
        """The network that is evaluated: an average of the weights, where one is kept."""
        return self._average.judged

    def train(
        self,
        observer: Observer,
        should_stop: Callable[[], bool] = never,
        interrupt_evaluation: Callable[[], bool] = never,
        should_save: Callable[[], bool] = never,
    ) -> bool:
        """Run to the end of the last epoch, or until patience is out or `should_stop()` after a step.

        `interrupt_evaluation` is asked inside evaluations too; one that is cut short is made later.
        Returns whether the run is finished; if not, the state that was saved goes on from where it
        stopped. A run that ends where no evaluation is due is evaluated all the same. Of several
        processes, all stop or save as soon as one is asked to.
        Raises TrainingError when loss or gradient is no longer finite (more often in a row than
        `skip_limit`, where skipping is allowed); the weights are then those before the step.
        """
        progress = self.progress
        if not progress.step:
            untrained = evaluate_windows(self.network, self.untrained_windows)
            observer.on_start(untrained.loss, self.total_tokens)
        self.network.train()
        windows = self._windows.epoch(progress.epoch, progress.window)
        count = self._windows.count(progress.epoch)
        while True:
            if self._evaluation_is_due():
                try:
                    self._judge.evaluate(observer, self.state, interrupt_evaluation)
                except Interrupted:
                    self._save(observer)
                    return False  # it is still due when the run goes on
                observer.on_save(self.state())
            if self.is_over or self.is_out_of_patience:
                try:
                    self.evaluate_here(observer, interrupt_evaluation)
                except Interrupted:
                    return False
                return True
            stop, save = self._ranks.sums(should_stop(), should_save())
            if stop or save:
                self._save(observer)
            if stop:
                return False
            window = next(windows)
            loss = self.train_step(window)
            progress.window += 1
            if progress.window == count:
                progress.epoch, progress.window = progress.epoch + 1, 0
                windows, count = self._windows.epoch(progress.epoch), self._windows.count(progress.epoch)
            observer.on_step(loss, self._tokens(window))

    def _save(self, observer: Observer) -> None:
        refuse_ruined_weights(self._parameters, self.progress.step, self.config)
        observer.on_save(self.state())

    def _evaluation_is_due(self) -> bool:
        progress, every = self.progress, self.config.evaluate_every
        if progress.step == progress.evaluated_step:
            return False
        return progress.step % every == 0 if every else progress.window == 0

    def learning_rate(self, window: Window) -> float:
        """Of the next step, which reads `window`; of random windows, longer ones take longer steps."""
        rate = self._judge.rate_at(self.progress.step)
        return rate * len(window.inputs_TB) / self.config.bptt if self.config.random_bptt else rate

    def _share(self) -> float | None:
        """Of the words that are no targets, those in the softmax of the next step; None: all."""
        if not self.config.sampled_softmax:
            return None
        done = self.progress.step - self.progress.cycle_step
        return share_at(done / max(1, self.total_steps - self.progress.cycle_step))

    def train_step(self, window: Window) -> float:
        """Forward, backward, clip, update; the mean nats per token of all processes' windows."""
        progress, ranks = self.progress, self._ranks
        window, tokens = window.to(self.network.device), self._tokens(window)
        if window.fresh:
            self._state = self.network.zero_state(window.inputs_TB.shape[1])
        found = self._gradients.of(window, self._state, progress.step, self._share())
        own_nll, gradient_norm = found.nll_and_norm.tolist()  # a GPU is waited for here
        (nll,) = ranks.sums(own_nll)
        rate = self.learning_rate(window)
        if not (math.isfinite(nll) and math.isfinite(gradient_norm)):
            skip_or_stop(progress, self.config, "the gradient" if math.isfinite(nll) else "the loss", rate)
            return nll / tokens
        progress.skipped_in_a_row = 0
        if self.config.clip:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self.config.clip, found.norm)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._average.take_in(progress.step - progress.cycle_step)
        self._state = found.state
        progress.step += 1
        progress.tokens += tokens
        progress.train_nll += nll
        progress.train_tokens += tokens
        return nll / tokens

    @property
    def processes(self) -> int:
        """That train together."""
        return self._ranks.count

    def _tokens(self, window: Window) -> int:
        """Of all processes together in this step."""
        return window.tokens * self._ranks.count

    def evaluate_here(self, observer: Observer, should_stop: Callable[[], bool] = never) -> None:
        """An evaluation where the run stops, unless one has just been made. The state is saved first, so that
        a run that goes on does so as if there had been none. Raises Interrupted.
        """
        progress = self.progress
        if progress.step != progress.evaluated_step and progress.train_tokens:
            observer.on_save(self.state())
            self._judge.evaluate_in_passing(observer, should_stop)

    @property
    def is_out_of_patience(self) -> bool:
        patience = self.config.patience
        return bool(patience) and self.progress.evaluations_since_best >= patience

    def state(self) -> TrainingState:
        """All that a new Trainer needs, with the network's weights, to go on bit for bit.

        Of several processes, all must ask for it together.
        """
        tensors = carried_tensors(self._ranks.whole_state(self._state))
        tensors |= optimizer_tensors(self._optimizer, self._parameters)
        for name, tensor in self._average.tensors().items():
            tensors[f"average.{name}"] = tensor
        values: dict[str, Any] = {
            "config": self.config.to_dict(),
            "progress": plain_fields(self.progress),
            "schedule": plain_fields(self._schedule),
            "average": self._average.values(),
        }
        return TrainingState(values, {name: tensor.detach().clone() for name, tensor in tensors.items()})

    def _restore_place(self, saved: TrainingState, new_cycle: bool) -> None:
        progress = self.progress
        restore_progress(progress, saved, self.config.epochs, self.total_steps, self._windows)
        if new_cycle:
            progress.cycle_step, progress.evaluations_since_best = progress.step, 0
            upcoming = next(self._windows.epoch(progress.epoch, progress.window))
            self._state = self.network.zero_state(upcoming.inputs_TB.shape[1])

    def _restore(self, saved: TrainingState) -> None:
        try:
            steps = self._schedule.total_steps  # of a run made longer, more than were planned
            restore_fields(self._schedule, saved.values["schedule"])
            self._schedule.total_steps = steps
            epoch, window = self.progress.epoch, self.progress.window
            upcoming = next(self._windows.epoch(epoch, window))
            columns = None if upcoming.fresh else upcoming.inputs_TB.shape[1] * self._ranks.count
            self._state = self._ranks.own_state(restore_carried(saved, self._state, columns))
            restore_optimizer(saved, self._optimizer, self._parameters, self._kind.moments)
            if "average" in saved.values:  # format 1 had none
                self._average.restore(saved.values["average"], named(saved, "average."))
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(f"the training state does not fit this model ({error!r})") from None
