"""Where a run stands, what an evaluation found, and who observes it."""

import math
from dataclasses import dataclass

from langmodel.network.evaluation import Likelihood
from langmodel.storage.training_state import TrainingState


@dataclass
class Progress:
    """Where a run stands; all of it is saved and restored."""

    step: int = 0
    epoch: int = 0
    """Epochs completed."""
    window: int = 0
    """Windows of the present epoch that are done."""
    tokens: int = 0
    train_nll: float = 0.0
    """Nats since the last evaluation."""
    train_tokens: int = 0
    best_loss: float = math.inf
    best_step: int = 0
    evaluations: int = 0
    evaluations_since_best: int = 0
    evaluated_step: int = 0
    """The step after which the last evaluation was made."""
    skipped_in_a_row: int = 0
    """Steps left out because loss or gradient was not finite."""
    cycle_step: int = 0
    """The step at which the present cycle of the schedule began: above 0 only in a run made longer."""


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found. Losses are in nats per token."""

    number: int
    step: int
    epoch: int
    tokens: int
    learning_rate: float
    train_loss: float
    valid: Likelihood | None
    """None when the corpus has no validation split."""
    is_best: bool
    is_extra: bool = False
    """Made because the run stops here, where none was due; what comes after a resume does not know of it."""


class Observer:
    """Follows a run. Override what you need; the rest does nothing.

    An exception that an observer raises ends the run, which can be resumed.
    """

    def on_start(self, untrained_loss: float, total_tokens: int) -> None:
        """Before the first step. The loss before any training, in nats per token; the targets of the whole
        run, including those before a resume.
        """

    def on_step(self, loss: float, tokens: int) -> None:
        """After every step. `loss` is the window's mean in nats per token; `tokens` counts its targets."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """After every evaluation."""

    def on_save(self, state: TrainingState) -> None:
        """After every evaluation, when asked for, and when a run stops before its end.

        Also once before the first `on_evaluation`: the state is saved before any model is.
        """
