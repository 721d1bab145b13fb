"""One classifier in one directory, or one for every fold: begun, taken up again, judged at its end."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from langmodel.classification.config import DOCUMENTS, ClassifierConfig
from langmodel.classification.encoder import TextClassifier
from langmodel.classification.from_language_models import (
    architecture_from,
    begin_with,
    load_language_models,
)
from langmodel.classification.labelled import Columns, stratified_parts
from langmodel.classification.reading_loss import ReadingLoss
from langmodel.classification.texts import ClassifierData
from langmodel.classification.trainer import ClassifierTrainer
from langmodel.display.classifier_reports import spread
from langmodel.display.narration import Narrator, Silent
from langmodel.errors import ConfigError, InputError
from langmodel.network.device import choose_device
from langmodel.runs.classifier_data import EncodedSplits, TextSplits, encode_splits, split
from langmodel.runs.classifier_outcome import outcome
from langmodel.runs.classifier_run import (
    FILES,
    ClassifierRunFiles,
    forget_later_rows,
    saved_run,
)
from langmodel.runs.pretraining import PretrainingStopped, pretrained
from langmodel.runs.signals import StopSignal
from langmodel.storage.atomic import locked_directory
from langmodel.storage.model_file import BEST, LAST, SavedModel
from langmodel.storage.run_files import read_run

PRETRAINING = "language-model"
"""The folder of a run in which its language models are trained."""


def has_something(directory: Path) -> bool:
    """Whether a run there has been saved, or the language models that it begins with."""
    return (directory / LAST).exists() or (directory / PRETRAINING).is_dir()


@dataclass(frozen=True, kw_only=True)
class ClassifierOptions:
    """Options of a run, beside the settings of its training."""

    valid: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    valid_fraction: float = 0.1
    unlabelled: tuple[str, ...] = ()
    labels: int | None = None
    """Use the labels of so many training texts; the others count as unlabelled."""
    from_models: tuple[Path, ...] = ()
    folds: int = 0
    columns: Columns = field(default_factory=Columns)
    resume: bool = False
    overwrite: bool = False
    compare: bool = True
    """End with a comparison with a bag of words."""

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise ConfigError("--resume and --overwrite cannot be combined")
        if self.folds and (self.valid or self.test or self.folds < 2):
            raise ConfigError("--folds must be at least 2, and holds out validation and test texts by itself")


@dataclass(frozen=True)
class ClassifierJob:
    config: ClassifierConfig
    given: Collection[str]
    """Names of the settings that someone chose."""
    options: ClassifierOptions
    device: str
    narrator: Narrator

    def train(self, splits: TextSplits, directory: Path) -> int:
        """One classifier; returns the exit code."""
        options = self.options
        there = [name for name in (BEST, LAST) if (directory / name).exists()]
        if there and not (options.resume or options.overwrite):
            raise InputError(
                f"{directory}: holds a run already; add --resume to go on with it, --overwrite to start "
                "again, or choose another directory"
            )
        with locked_directory(directory) as lock:
            if not options.resume:
                for name in FILES:
                    (directory / name).unlink(missing_ok=True)
            self.narrator.say(splits.line)
            try:
                models = self._language_models(splits, directory)
            except PretrainingStopped as stopped:
                self.narrator.say("interrupted before the classifier was begun; go on with --resume")
                return stopped.exit_code
            language = (models[0].vocabulary, models[0].pipeline) if models else None
            encoded = encode_splits(splits, self.config, language)
            job = replace(self, config=self._suited(encoded, from_models=bool(models)))
            files = ClassifierRunFiles(
                directory,
                lock,
                self.narrator,
                encoded,
                splits.labels,
                splits.digest,
                job.config,
                {"from": [str(path) for path in options.from_models]},
            )
            files.trainer = job._trainer(splits, encoded, models)
            if options.resume and (directory / LAST).exists():
                job._restore(files, directory)
            return job._run(files, splits, encoded)

    def _suited(self, encoded: EncodedSplits, *, from_models: bool) -> ClassifierConfig:
        mean_words = encoded.data.train.mean_length
        config = self.config.suited(mean_words, self.given, from_models=from_models)
        if config != self.config:
            self.narrator.say(
                f"{mean_words:.0f} words per text on average: what is not given follows --preset {DOCUMENTS}"
            )
        return config

    def _language_models(self, splits: TextSplits, directory: Path) -> list[SavedModel]:
        paths = list(self.options.from_models)
        if self.config.semi in ("pretrain", "both"):
            texts = [each.text for each in (*splits.train, *splits.unlabelled)]
            paths = pretrained(
                directory / PRETRAINING,
                texts,
                self.config,
                paths,
                self.device,
                self.narrator,
                resume=self.options.resume,
            )
        return load_language_models(paths) if paths else []

    def _trainer(
        self, splits: TextSplits, encoded: EncodedSplits, models: list[SavedModel]
    ) -> ClassifierTrainer:
        config, classes = self.config, len(splits.labels)
        generator = torch.Generator().manual_seed(config.seed)
        reading_loss, groups = None, []
        if models:
            network = TextClassifier(architecture_from(models, config, classes), generator)
            groups = begin_with(network, models)
            if config.lm_loss:
                reading_loss = ReadingLoss(models[0].network).to(choose_device(self.device))
                groups[0] = [*groups[0], *reading_loss.parameters()]
        else:
            architecture = config.architecture(len(encoded.vocabulary), classes)
            network = TextClassifier(architecture, generator, config.embedding_bound)
        data = encoded.data
        if config.semi not in ("self-training", "both"):
            data = ClassifierData(data.train, data.valid)
        return ClassifierTrainer(network.to(choose_device(self.device)), data, config, groups, reading_loss)

    def _restore(self, files: ClassifierRunFiles, directory: Path) -> None:
        saved = saved_run(directory)
        assert saved.training is not None
        if saved.training.values.get("digest") != files.digest:
            raise ConfigError(
                f"{directory}: was trained on other texts, or another split of them; give the same, or train "
                "again with --overwrite"
            )
        trainer = files.trainer
        if saved.network.architecture != trainer.network.architecture:
            raise ConfigError(f"{directory}: its network has another shape; train again with --overwrite")
        trainer.restore(saved.training)
        trainer.network.load_state_dict(saved.network.state_dict())
        forget_later_rows(directory, trainer.progress.step)
        self.narrator.say(f"resumed at step {trainer.progress.step:,}")

    def _run(self, files: ClassifierRunFiles, splits: TextSplits, encoded: EncodedSplits) -> int:
        files.describe()
        trainer, config = files.trainer, self.config
        texts = len(encoded.data.train) * (1 + config.refit) + len(encoded.data.valid) * config.refit
        total = texts * config.epochs
        bar = self.narrator.bar("training", total)
        with StopSignal(quiet=isinstance(self.narrator, Silent)) as stop, bar as files.bar:
            finished = trainer.train(files, lambda: bool(stop.number))
        if not finished:
            self.narrator.say(f"interrupted at step {trainer.progress.step:,}; go on with --resume")
            return stop.exit_code
        result = outcome(trainer, splits, encoded, self.narrator, compare=self.options.compare)
        files.write_run(finished=True, result=result)
        self.narrator.tell(
            f"written to {files.directory}: {', '.join(n for n in FILES if (files.directory / n).exists())}"
        )
        return 0

    def cross_validate(self, splits: TextSplits, directory: Path) -> int:
        """Each part in turn is the test; of the rest, some is held out for validation."""
        everything = [*splits.train, *splits.valid]
        parts = stratified_parts([each.label for each in everything], self.options.folds, self.config.seed)
        results: list[dict[str, Any]] = []
        for number, part in enumerate(parts, start=1):
            fold, chosen = directory / f"fold-{number:02d}", set(part)
            done = read_run(fold) if self.options.resume else {}
            if not done.get("finished"):
                self.narrator.say(f"fold {number} of {len(parts)}")
                rest = [each for row, each in enumerate(everything) if row not in chosen]
                made = split(
                    splits.labels,
                    rest,
                    self.config,
                    [],
                    [everything[row] for row in part],
                    splits.unlabelled,
                    valid_fraction=self.options.valid_fraction,
                )
                resumes = self.options.resume and has_something(fold)
                job = self if resumes or not self.options.resume else self._fresh()
                if code := job.train(made, fold):
                    return code
                done = read_run(fold)
            results.append(done["result"])
        self.narrator.tell(spread(results))
        return 0

    def _fresh(self) -> "ClassifierJob":
        return replace(self, options=replace(self.options, resume=False))
