"""Where a classifier's training stands, what it found, and who observes it."""

import math
from dataclasses import dataclass

from langmodel.storage.training_state import TrainingState


@dataclass
class ClassifierProgress:
    """Where a run stands; all of it is saved and restored."""

    step: int = 0
    round: int = 0
    """0: on labelled texts; then the round of self-training."""
    epoch: int = 0
    """Of this round, completed."""
    batch: int = 0
    """Of this epoch, done."""
    loss: float = 0.0
    """Summed over the texts of this epoch, in nats."""
    texts: int = 0
    best_accuracy: float = 0.0
    best_loss: float = math.inf
    best_round: int = 0
    best_epoch: int = 0
    since_best: int = 0
    """Epochs of this round since the best one."""
    refit: int = 0
    """1: learning again, from the validation texts too."""
    finished: int = 0


@dataclass(frozen=True)
class EpochReport:
    """What an epoch led to. Losses in nats per text."""

    round: int
    epoch: int
    step: int
    train_loss: float
    accuracy: float
    """Of the validation texts."""
    loss: float
    is_best: bool


@dataclass(frozen=True)
class RefitReport:
    """An epoch of learning again from training and validation texts."""

    epoch: int
    epochs: int
    train_loss: float

    @property
    def is_last(self) -> bool:
        return self.epoch == self.epochs


@dataclass(frozen=True)
class RoundReport:
    """What a round of self-training begins with."""

    round: int
    taken: int
    unlabelled: int
    by_class: tuple[int, ...]
    right: float | None
    """Share of the taken labels that are right, where the true ones are known."""


class ClassifierObserver:
    """Follows a run. Override what you need."""

    def on_step(self, loss: float, texts: int) -> None: ...

    def on_epoch(self, report: EpochReport) -> None: ...

    def on_refit(self, report: RefitReport) -> None: ...

    def on_round(self, report: RoundReport) -> None: ...

    def on_save(self, state: TrainingState) -> None: ...
