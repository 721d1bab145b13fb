"""The loop that trains a classifier: labelled texts first, then rounds of self-training."""

# B = batch, C = classes

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn import functional as F

from langmodel.classification.config import ClassifierConfig
from langmodel.classification.encoder import TextClassifier
from langmodel.classification.prediction import class_probabilities
from langmodel.classification.progress import (
    ClassifierObserver,
    ClassifierProgress,
    EpochReport,
    RefitReport,
    RoundReport,
)
from langmodel.classification.rates import group_rates
from langmodel.classification.reading_loss import ReadingLoss
from langmodel.classification.self_training import Taken, believed
from langmodel.classification.texts import Batch, ClassifierData, EncodedTexts
from langmodel.errors import ConfigError, LangModelError
from langmodel.network.dropout import Dropout, DropoutRates, step_seed
from langmodel.storage.training_state import TrainingState
from langmodel.training.optimizers import OPTIMIZERS
from langmodel.training.saved_state import (
    named,
    optimizer_tensors,
    plain_fields,
    restore_fields,
    restore_optimizer,
)

OPTIMIZER = OPTIMIZERS["adamw"]

LEAST_STEPS = 50
"""Of an epoch: few texts are read again and again, until they make so many steps."""


@dataclass
class ClassifierTrainer:
    """Trains `network` on `data`; `best` holds the weights that did best on the validation texts."""

    network: TextClassifier
    data: ClassifierData
    config: ClassifierConfig
    groups: Sequence[Sequence[Parameter]] = ()
    """Parameters from the top of the network down, of a network that begins with a language model's."""
    reading_loss: ReadingLoss | None = None
    progress: ClassifierProgress = field(default_factory=ClassifierProgress)

    def __post_init__(self) -> None:
        rates = self.config.dropout_rates
        self._rates = DropoutRates(
            input=rates[0], hidden=rates[1], output=rates[2], word=self.config.word_dropout
        )
        if not self.groups:
            self.groups = [self.trained_parameters()]
        self._taken: Taken | None = None
        self._optimizer = self._new_optimizer()
        self.best = _copy(self.network)
        self._first = [_copy(module) for module in self._modules()] if self.config.refit else []
        self._before_refit: npt.NDArray[np.float64] | None = None

    def _modules(self) -> list[nn.Module]:
        return [self.network, *([] if self.reading_loss is None else [self.reading_loss])]

    def trained_parameters(self) -> list[Parameter]:
        return [parameter for module in self._modules() for parameter in module.parameters()]

    def _new_optimizer(self) -> torch.optim.Optimizer:
        groups = [{"params": list(group)} for group in self.groups]
        return OPTIMIZER.make(groups, self.config.weight_decay)

    # The loop.

    def train(self, observer: ClassifierObserver, should_stop: Callable[[], bool] = lambda: False) -> bool:
        """Go on to the end, or until asked to stop, which saves; whether the end was reached."""
        p = self.progress
        while not p.finished:
            if p.round and self._taken is None and not self._begin_round(observer):
                p.finished = 1
                break
            if not self._epoch(observer, should_stop):
                observer.on_save(self.state())
                return False
            (self._report_refit if p.refit else self._judge)(observer)
            self._move_on()
            observer.on_save(self.state())
        self.network.load_state_dict(self.best)
        observer.on_save(self.state())
        return True

    def _epoch(self, observer: ClassifierObserver, should_stop: Callable[[], bool]) -> bool:
        """The rest of the epoch; False if it was asked to stop before the end."""
        p, config = self.progress, self.config
        texts = self._texts()
        batches = texts.shuffled(config.batch_size, (config.seed, p.round, p.epoch))
        for again in range(1, -(-LEAST_STEPS // len(batches))):
            batches += texts.shuffled(config.batch_size, (config.seed, p.round, p.epoch, again))
        self.network.train()
        generator = torch.Generator(device=self.network.device)
        for rows in batches[p.batch :]:
            if should_stop():
                return False
            generator.manual_seed(step_seed(config.seed, p.step))
            loss = self._step(texts.batch(rows).to(self.network.device), len(batches), generator)
            p.step += 1
            p.batch += 1
            p.loss += loss * len(rows)
            p.texts += len(rows)
            observer.on_step(loss, len(rows))
        return True

    def _texts(self) -> EncodedTexts:
        train = self.data.train
        if self.progress.refit:
            return train.joined(self.data.valid)
        if self._taken is None:
            return train
        assert self.data.unlabelled is not None
        return train.joined(self.data.unlabelled.subset(self._taken.rows).relabelled(self._taken.labels))

    def _step(self, batch: Batch, batches: int, generator: torch.Generator) -> float:
        networks = self.network.networks
        losses = [self._losses(network, batch, Dropout(self._rates, generator)) for network in networks]
        total = sum((each for each, _ in losses[1:]), losses[0][0])
        loss = sum(float(nll.detach()) for _, nll in losses) / len(networks)
        if not math.isfinite(loss):
            raise LangModelError(
                f"the loss is not finite at step {self.progress.step:,}; lower --learning-rate"
            )
        self._set_rates(batches)
        self._optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        if self.config.clip:
            reading = [] if self.reading_loss is None else list(self.reading_loss.parameters())
            for network in networks:
                nn.utils.clip_grad_norm_([*network.own_parameters(), *reading], self.config.clip)
        self._optimizer.step()
        return loss

    def _losses(self, network: TextClassifier, batch: Batch, dropout: Dropout) -> tuple[Tensor, Tensor]:
        """Of one network: what it minimises, and the part of it that is -log p of the labels, in nats."""
        outputs = network.hidden_states(batch.ids_TB, batch.lengths_B, dropout)
        logits_BC = network.classes(network.pooled(outputs, batch.lengths_B), dropout)
        nll = F.cross_entropy(logits_BC, batch.labels_B)
        total = nll
        if self.config.l2 and network.dense is not None:
            total = total + self.config.l2 * network.dense.square().mean()
        if self.reading_loss is not None:
            total = total + self.config.lm_loss * self.reading_loss(outputs, batch)
        return total, nll

    def _set_rates(self, batches: int) -> None:
        """A refit has the rates of the epochs it repeats, so it ends where the best epoch did."""
        p, groups = self.progress, self._optimizer.param_groups
        steps, done = self.config.epochs * batches, p.epoch * batches + p.batch
        for group, rate in zip(groups, group_rates(self.config, p, steps, done, len(groups)), strict=True):
            group["lr"] = rate

    def _judge(self, observer: ClassifierObserver) -> None:
        """Epoch's end: validation, and the best weights so far."""
        p = self.progress
        probabilities = class_probabilities(self.network, self.data.valid)
        labels = self.data.valid.labels
        accuracy = float((probabilities.argmax(1) == labels).mean())
        of_label = probabilities[np.arange(len(labels)), labels]
        loss = float(-np.log(np.maximum(of_label, 1e-30)).mean())
        is_best = self._is_better(accuracy, loss)
        p.since_best += 1
        if is_best:
            p.best_accuracy, p.best_loss, p.since_best = accuracy, loss, 0
            p.best_round, p.best_epoch = p.round, p.epoch + 1
            self.best = _copy(self.network)
        report = EpochReport(p.round, p.epoch + 1, p.step, p.loss / max(1, p.texts), accuracy, loss, is_best)
        self._end_epoch()
        observer.on_epoch(report)

    def _end_epoch(self) -> None:
        p = self.progress
        p.epoch, p.batch, p.loss, p.texts = p.epoch + 1, 0, 0.0, 0

    def _report_refit(self, observer: ClassifierObserver) -> None:
        """An epoch's end without a judge: the validation texts are among those learnt."""
        p = self.progress
        report = RefitReport(p.epoch + 1, self._epochs(), p.loss / max(1, p.texts))
        self._end_epoch()
        if report.is_last:
            self.best = _copy(self.network)
        observer.on_refit(report)

    def _is_better(self, accuracy: float, loss: float) -> bool:
        p = self.progress
        if self.config.judge == "loss":
            return loss < p.best_loss
        return (accuracy, -loss) > (p.best_accuracy, -p.best_loss)

    def _epochs(self) -> int:
        """Of the present round, or of the refit, at most."""
        p, config = self.progress, self.config
        return p.best_epoch if p.refit else config.round_epochs if p.round else config.epochs

    def _move_on(self) -> None:
        """Whether this epoch was the round's last, this round the run's."""
        p, config = self.progress, self.config
        is_over = p.epoch >= self._epochs()
        is_over |= not p.round and not p.refit and 0 < config.patience <= p.since_best
        if not is_over:
            return
        if config.refit and not p.refit:
            self._start_again()
            return
        has_fallen = p.round > 0 and p.best_round < p.round
        trains_itself = self.data.unlabelled is not None and len(self.data.unlabelled) > 0
        if not trains_itself or has_fallen or p.round >= config.rounds:
            p.finished = 1
            return
        p.round, p.epoch, p.since_best = p.round + 1, 0, 0
        self._taken = None

    def _start_again(self) -> None:
        """From the first weights, after the best ones have judged the validation texts for the last time."""
        self.network.load_state_dict(self.best)
        self._before_refit = class_probabilities(self.network, self.data.valid)
        for module, first in zip(self._modules(), self._first, strict=True):
            module.load_state_dict(first)
        self._optimizer = self._new_optimizer()
        self.progress.refit, self.progress.epoch = 1, 0

    def validation_probabilities(self) -> npt.NDArray[np.float64]:
        """Of the validation texts, by the best network that had not learnt from them; shape (N, C)."""
        if self._before_refit is not None:
            return self._before_refit
        return class_probabilities(self.network, self.data.valid)

    def _begin_round(self, observer: ClassifierObserver) -> bool:
        """Label the unlabelled with the best weights so far; False if there is nothing to believe."""
        unlabelled = self.data.unlabelled
        assert unlabelled is not None
        self.network.load_state_dict(self.best)
        shares = np.bincount(self.data.train.labels, minlength=self.network.architecture.classes)
        taken = believed(
            class_probabilities(self.network, unlabelled), self.config.threshold, shares / shares.sum()
        )
        true = unlabelled.labels[taken.rows]
        known = true >= 0
        right = float((np.array(taken.labels)[known] == true[known]).mean()) if known.any() else None
        by_class = tuple(np.bincount(taken.labels, minlength=len(shares)).tolist())
        observer.on_round(RoundReport(self.progress.round, len(taken.rows), len(unlabelled), by_class, right))
        if not taken.rows:
            return False
        self._taken = taken
        self._optimizer = self._new_optimizer()
        return True

    # What resuming needs.

    def state(self) -> TrainingState:
        taken = Taken([], []) if self._taken is None else self._taken
        tensors = {f"best.{name}": tensor for name, tensor in self.best.items()}
        tensors |= {"taken.rows": torch.tensor(taken.rows), "taken.labels": torch.tensor(taken.labels)}
        if self._before_refit is not None:
            tensors["before_refit"] = torch.from_numpy(self._before_refit)
        tensors |= optimizer_tensors(self._optimizer, self._in_order())
        if self.reading_loss is not None:
            tensors |= {f"reading.{n}": t for n, t in self.reading_loss.state_dict().items()}
        values = {"progress": plain_fields(self.progress), "config": self.config.to_dict()}
        return TrainingState(values, {name: t.detach().clone() for name, t in tensors.items()})

    def _in_order(self) -> list[Parameter]:
        return [parameter for group in self.groups for parameter in group]

    def restore(self, state: TrainingState) -> None:
        """Go on from a saved state. Raises ConfigError for one that does not fit the network and its data."""
        try:
            restore_fields(self.progress, state.values["progress"])
            best = named(state, "best.")
            self.network.load_state_dict(best)  # checks names and shapes
            self.best = {name: t.clone() for name, t in best.items()}
            rows, labels = (state.tensors[f"taken.{name}"].long().tolist() for name in ("rows", "labels"))
            if rows:
                self._taken = Taken(rows, labels)
                self._texts()
            if self.progress.refit:
                self._before_refit = state.tensors["before_refit"].double().cpu().numpy()
                shape = (len(self.data.valid), self.network.architecture.classes)
                if self._before_refit.shape != shape or not self.progress.best_epoch:
                    raise ValueError("its refit is malformed")
            restore_optimizer(state, self._optimizer, self._in_order(), OPTIMIZER.moments)
            if self.reading_loss is not None:
                self.reading_loss.load_state_dict(named(state, "reading."))
        except (LookupError, TypeError, ValueError, RuntimeError, AssertionError) as error:
            raise ConfigError(
                f"the saved state does not fit this run ({error!s:.200}); start again with --overwrite"
            ) from None


def _copy(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}
