"""`langmodel.train_classifier`: texts with labels -> a classifier, as the command does it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from langmodel.classification.classifier import Classifier, load_classifier
from langmodel.classification.config import PRESETS, ClassifierConfig
from langmodel.classification.labelled import Columns
from langmodel.configuration import typed_settings
from langmodel.display.narration import Narrator, Silent
from langmodel.errors import ConfigError, InputError
from langmodel.network.device import prepare_cpu
from langmodel.runs.classifier_data import read_splits
from langmodel.runs.classifier_job import ClassifierJob, ClassifierOptions, has_something
from langmodel.runs.classifier_run import (
    CLASSIFIER_ROW,
    resumed_config,
    saved_run,
)
from langmodel.storage.model_file import LAST
from langmodel.storage.run_files import read_metrics, read_run
from langmodel.text.corpus_files import is_corpus


@dataclass(frozen=True)
class ClassifierRun:
    """A run directory: what was trained, and how it went."""

    path: Path
    exit_code: int = 0

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """A row for every epoch: step, round, epoch, losses in nats per text, validation accuracy."""
        return read_metrics(self.path, CLASSIFIER_ROW)

    @property
    def result(self) -> dict[str, Any]:
        """What run.json says of the end: accuracies of the classifier and of the bags of words."""
        return dict(read_run(self.path).get("result", {}))

    @cached_property
    def model(self) -> Classifier:
        return load_classifier(self.path)


def train_classifier(
    data: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    preset: str | None = None,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    valid_fraction: float = 0.1,
    unlabelled: str | Path | Sequence[str | Path] = (),
    labels: int | None = None,
    from_model: str | Path | Sequence[str | Path] = (),
    folds: int = 0,
    column: str = "text",
    label_column: str = "label",
    encoding: str = "utf-8",
    resume: bool = False,
    overwrite: bool = False,
    compare: bool = True,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    **settings: Any,
) -> ClassifierRun:
    """Train a classifier in the run directory `output`, with the flags of `langmodel train-classifier`.

    `settings` are fields of ClassifierConfig (`hidden_size=256, semi="both"`). Raises ConfigError for unknown
    ones, CorpusError for texts that cannot be used.
    """
    prepare_cpu(threads)
    options = ClassifierOptions(
        valid=_several(valid),
        test=_several(test),
        valid_fraction=valid_fraction,
        unlabelled=_several(unlabelled),
        labels=labels,
        from_models=tuple(map(Path, _several(from_model))),
        folds=folds,
        columns=Columns(text=column, label=label_column, encoding=encoding),
        resume=resume,
        overwrite=overwrite,
        compare=compare,
    )
    given = chosen_settings(preset, typed_settings(ClassifierConfig, settings, "train_classifier"))
    return run_classifier_training(
        _several(data), Path(output), given, options, device, Silent() if quiet else Narrator()
    )


def _several(named: str | Path | Sequence[str | Path] | None) -> tuple[str, ...]:
    if named is None:
        return ()
    return (str(named),) if isinstance(named, str | Path) else tuple(map(str, named))


def chosen_settings(preset: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """The preset's settings, and what is given against them."""
    if preset is not None and preset not in PRESETS:
        raise ConfigError(f"unknown preset {preset!r}; choose from {', '.join(PRESETS)}")
    return {**(PRESETS[preset].settings if preset else {}), **given}


def run_classifier_training(
    sources: Sequence[str],
    output: Path,
    given: dict[str, Any],
    options: ClassifierOptions,
    device: str,
    narrator: Narrator,
) -> ClassifierRun:
    """What `train_classifier` and the command have in common."""
    if is_corpus(output):
        raise InputError(f"{output}: a corpus directory; choose another for the run")
    begun = options.resume and not options.folds
    if begun and ((output / LAST).exists() or not has_something(output)):
        config = resumed_config(saved_run(output), given, output)
        given = config.to_dict()
    else:
        config = ClassifierConfig(**given)
    if config.semi in ("self-training", "both") and not options.unlabelled and options.labels is None:
        raise ConfigError(f"--semi {config.semi} needs unlabelled texts; name some with --unlabelled")
    if config.lm_loss and not options.from_models and config.semi not in ("pretrain", "both"):
        raise ConfigError("--lm-loss needs a language model to begin with: add --from, or --semi pretrain")
    splits = read_splits(
        sources,
        config,
        options.columns,
        valid=options.valid,
        test=options.test,
        unlabelled=options.unlabelled,
        valid_fraction=options.valid_fraction,
        most_labels=options.labels,
    )
    job = ClassifierJob(config, given, options, device, narrator)
    if options.folds:
        return ClassifierRun(output, job.cross_validate(splits, output))
    return ClassifierRun(output, job.train(splits, output))
