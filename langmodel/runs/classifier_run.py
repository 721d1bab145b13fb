"""A classifier's training on disk and on the terminal: the trainer's observer, which saves and reports."""

import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from langmodel import __version__
from langmodel.classification.classifier_file import SavedClassifier, load_classifier_file, save_classifier
from langmodel.classification.config import ClassifierConfig
from langmodel.classification.encoder import TextClassifier
from langmodel.classification.progress import (
    ClassifierObserver,
    EpochReport,
    RefitReport,
    RoundReport,
)
from langmodel.classification.trainer import ClassifierTrainer
from langmodel.configuration import typed_settings
from langmodel.display.narration import Narrator
from langmodel.errors import ConfigError, InputError, ModelFileError
from langmodel.runs.classifier_data import EncodedSplits
from langmodel.runs.thread_watch import ThreadWatch
from langmodel.storage.atomic import DirectoryLock
from langmodel.storage.model_file import BEST, LAST
from langmodel.storage.run_files import METRICS, RUN, append_metrics, cut_metrics, write_run
from langmodel.storage.training_state import TrainingState

FILES = (BEST, LAST, METRICS, RUN)

CLASSIFIER_ROW: dict[str, Any] = {
    "step": int,
    "round": int,
    "epoch": int,
    "train_loss": float,
    "valid_accuracy": float,
    "valid_loss": float,
}
"""What every row of a classifier's metrics.jsonl has."""


@dataclass
class ClassifierRunFiles(ClassifierObserver):
    """One run directory while a classifier is trained in it."""

    directory: Path
    lock: DirectoryLock
    narrator: Narrator
    encoded: EncodedSplits
    labels: tuple[str, ...]
    digest: str
    config: ClassifierConfig
    more: dict[str, Any]
    """Added to run.json."""
    trainer: ClassifierTrainer = field(init=False)
    bar: Any = None
    thread_watch: ThreadWatch = field(init=False)

    def on_step(self, loss: float, texts: int) -> None:
        self.bar.update(texts)
        self.thread_watch.on_step()

    def on_epoch(self, report: EpochReport) -> None:
        self.lock.verify()
        append_metrics(
            self.directory,
            {
                "step": report.step,
                "round": report.round,
                "epoch": report.epoch,
                "train_loss": report.train_loss,
                "valid_accuracy": report.accuracy,
                "valid_loss": report.loss,
            },
        )
        if report.is_best:
            save_classifier(self.directory / BEST, self._saved(self.trainer.network))
        of_round = f"round {report.round}, " if report.round else ""
        self.narrator.say(
            f"{of_round}epoch {report.epoch}: validation accuracy {report.accuracy:.1%}, loss "
            f"{report.loss:.3f}, training loss {report.train_loss:.3f}"
            + (", best so far" if report.is_best else "")
        )

    def on_refit(self, report: RefitReport) -> None:
        self.lock.verify()
        if report.is_last:
            save_classifier(self.directory / BEST, self._saved(self.trainer.network))
        self.narrator.say(
            f"training again with the validation texts, epoch {report.epoch} of {report.epochs}: "
            f"training loss {report.train_loss:.3f}"
        )

    def on_round(self, report: RoundReport) -> None:
        if not report.taken:
            self.narrator.say(
                f"round {report.round}: in some class, none of {report.unlabelled:,} unlabelled texts is "
                f"sure enough; a --threshold over {self.config.threshold:g} takes more. Self-training ends"
            )
            return
        by_class = ", ".join(
            f"{label} {count:,}" for label, count in zip(self.labels, report.by_class, strict=True)
        )
        right = "" if report.right is None else f", {report.right:.1%} of them right"
        self.narrator.say(
            f"round {report.round}: {report.taken:,} of {report.unlabelled:,} unlabelled texts taken "
            f"({by_class}){right}"
        )

    def on_save(self, state: TrainingState) -> None:
        self.lock.verify()
        values = {**state.values, "digest": self.digest}
        saved = self._saved(self.trainer.network, TrainingState(values, state.tensors))
        save_classifier(self.directory / LAST, saved)
        self.thread_watch.restart()

    def _saved(self, network: TextClassifier, training: TrainingState | None = None) -> SavedClassifier:
        p = self.trainer.progress
        return SavedClassifier(
            network=network,
            labels=self.labels,
            vocabulary=self.encoded.vocabulary,
            pipeline=self.encoded.pipeline,
            max_words=self.config.max_words,
            provenance={
                "langmodel": __version__,
                "config": self.config.to_dict(),
                "data_sha256": self.digest,
                "step": p.step,
                "valid_accuracy": p.best_accuracy,
                "threads": torch.get_num_threads(),
            },
            training=training,
        )

    def write_run(self, **result: Any) -> None:
        self.lock.verify()
        write_run(
            self.directory,
            {
                "langmodel": __version__,
                "kind": "classifier",
                "data_sha256": self.digest,
                "config": self.config.to_dict(),
                "architecture": self.trainer.network.architecture.to_dict(),
                "labels": list(self.labels),
                "parameters": self.trainer.network.parameter_count,
                "device": str(self.trainer.network.device),
                "threads": torch.get_num_threads(),
                "versions": {"python": platform.python_version(), "torch": torch.__version__},
                **self.more,
                **result,
            },
        )

    def describe(self) -> None:
        """The network, in a line, before its first step."""
        network = self.trainer.network
        self.thread_watch = ThreadWatch(network.device, self.narrator.say)
        a = network.architecture
        layers = " + ".join(map(str, a.hidden_sizes))
        self.narrator.say(
            (f"{a.networks} networks: " if a.networks > 1 else "")
            + f"{a.cell.upper()} {layers}, {' and '.join(a.directions)}, embedding {a.embedding_size}, "
            f"{' + '.join(a.pooling)} pooled, {network.parameter_count:,} parameters, on {network.device}"
        )
        self.write_run(finished=False)


def saved_run(directory: Path) -> SavedClassifier:
    """What a stopped run left. Raises InputError where there is nothing to go on from."""
    file = directory / LAST
    if not file.is_file():
        raise InputError(
            f"{file}: nothing to resume; a run is saved after every epoch. Train without --resume"
        )
    saved = load_classifier_file(file)
    if saved.training is None:
        raise ModelFileError(f"{file}: holds no training state; train again with --overwrite")
    return saved


def resumed_config(saved: SavedClassifier, given: dict[str, Any], directory: Path) -> ClassifierConfig:
    """The settings of the run; given ones must agree. Raises ConfigError."""
    assert saved.training is not None
    values = saved.training.values.get("config")
    if not isinstance(values, dict):
        raise ConfigError(f"{directory / LAST}: its settings are malformed; train again with --overwrite")
    config = ClassifierConfig(**typed_settings(ClassifierConfig, values, str(directory / LAST)))
    for name, value in given.items():
        if getattr(config, name) != value:
            raise ConfigError(
                f"--{name.replace('_', '-')} {value}, but the run has {getattr(config, name)}; leave it out, "
                "or train again with --overwrite"
            )
    return config


def forget_later_rows(directory: Path, step: int) -> None:
    cut_metrics(directory, step, CLASSIFIER_ROW)
