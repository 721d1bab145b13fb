"""Evaluations of a run: what they find decides about the rate, the average, the best model and the end."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch.nn import Parameter

from langmodel.network.evaluation import Likelihood
from langmodel.network.windows import Windows
from langmodel.storage.training_state import TrainingState
from langmodel.training.averaging import AveragedNetwork
from langmodel.training.config import TrainingConfig
from langmodel.training.distributed import Ranks
from langmodel.training.health import refuse_divergence, refuse_ruined_weights
from langmodel.training.progress import Evaluation, Observer, Progress
from langmodel.training.schedules import Schedule
from langmodel.training.validation import validate


@dataclass(frozen=True)
class Judge:
    """Evaluates the network that stands for the run, and keeps the books in its progress."""

    progress: Progress
    config: TrainingConfig
    schedule: Schedule
    average: AveragedNetwork
    valid_windows: Windows | None
    """None: the run judges itself by its training loss."""
    parameters: Sequence[Parameter]
    ranks: Ranks

    def rate_at(self, step: int) -> float:
        """The learning rate of the step with this number, from 0, in windows of the usual length."""
        return self.config.learning_rate * self.schedule.share(step - self.progress.cycle_step)

    def evaluate(
        self, observer: Observer, state: Callable[[], TrainingState], should_stop: Callable[[], bool]
    ) -> None:
        """The evaluation that is due. Raises Interrupted; nothing has changed then."""
        progress = self.progress
        train_loss, valid = self._measure(should_stop)
        if not progress.evaluations:
            # Before the best model is written, or a crash in between would leave nothing to resume.
            observer.on_save(state())
        loss = train_loss if valid is None else valid.loss
        progress.evaluated_step = progress.step
        is_best = loss < progress.best_loss
        progress.evaluations_since_best = 0 if is_best else progress.evaluations_since_best + 1
        rate = self.rate_at(progress.step - 1)
        self.schedule.evaluated(loss)
        self.average.rule.evaluated(loss)
        progress.train_nll, progress.train_tokens = 0.0, 0
        self._report(observer, train_loss, valid, rate, is_best=is_best, is_extra=False)

    def evaluate_in_passing(self, observer: Observer, should_stop: Callable[[], bool]) -> None:
        """One that is not due: reported, and the best model kept, but nothing else follows from it."""
        train_loss, valid = self._measure(should_stop)
        loss = train_loss if valid is None else valid.loss
        rate = self.rate_at(self.progress.step - 1)
        is_best = loss < self.progress.best_loss
        self._report(observer, train_loss, valid, rate, is_best=is_best, is_extra=True)

    def _measure(self, should_stop: Callable[[], bool]) -> tuple[float, Likelihood | None]:
        """The training loss since the last evaluation, and the validation split's likelihood, if it has one.

        Raises TrainingError for a loss or weights that a run cannot go on from.
        """
        progress, network = self.progress, self.average.judged
        valid = None
        if self.valid_windows is not None:
            valid = validate(network, self.valid_windows, self.ranks, should_stop)
        train_loss = progress.train_nll / progress.train_tokens if progress.train_tokens else math.inf
        loss = train_loss if valid is None else valid.loss
        refuse_divergence(loss, network.architecture.vocabulary_size, progress.step, self.config)
        refuse_ruined_weights(self.parameters, progress.step, self.config)
        return train_loss, valid

    def _report(
        self,
        observer: Observer,
        train_loss: float,
        valid: Likelihood | None,
        rate: float,
        *,
        is_best: bool,
        is_extra: bool,
    ) -> None:
        progress = self.progress
        progress.evaluations += 1
        if is_best:
            progress.best_loss = train_loss if valid is None else valid.loss
            progress.best_step = progress.step
        observer.on_evaluation(
            Evaluation(
                number=progress.evaluations,
                step=progress.step,
                epoch=progress.epoch,
                tokens=progress.tokens,
                learning_rate=rate,
                train_loss=train_loss,
                valid=valid,
                is_best=is_best,
                is_extra=is_extra,
            )
        )
