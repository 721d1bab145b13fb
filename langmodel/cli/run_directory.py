"""A run directory and its trainer: begun, or taken up again where it stopped."""

import shutil
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from tqdm import tqdm

from langmodel.cli.baselines import compare_with_baselines
from langmodel.cli.signals import StopSignal
from langmodel.cli.training_run import SAVE_SECONDS, TrainingRun
from langmodel.errors import ConfigError, InputError, ModelFileError, NewerFormatError
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.storage.atomic import locked_directory
from langmodel.storage.model_file import (
    BEST,
    DAMAGED,
    LAST,
    PREVIOUS,
    SavedModel,
    load_model,
    refuse_what_does_not_fit,
)
from langmodel.storage.run_files import CURVES, METRICS, RUN, cut_metrics, read_run
from langmodel.storage.training_state import TrainingState
from langmodel.text.corpus import Corpus, is_corpus
from langmodel.training.config import TrainingConfig, config_from_mapping
from langmodel.training.distributed import Ranks, process_group
from langmodel.training.progress import Evaluation
from langmodel.training.trainer import Trainer

CHANGEABLE = ("on_nonfinite", "skip_limit", "cuda_graphs")
"""Settings that a resumed run may be given anew: how it goes on, not what comes out."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What `langmodel train` was told beside the settings."""

    max_minutes: float | None = None
    resume: bool = False
    overwrite: bool = False
    baselines: bool = True
    """Compare the result with n-grams in the end."""


def train_in(
    directory: Path,
    corpus: Corpus,
    config: TrainingConfig,
    wanted: Wanted = Wanted(),
    *,
    device: torch.device,
    given: Mapping[str, Any] = MappingProxyType({}),
) -> int:
    """Train in a run directory, with the other processes that torchrun has started; returns the exit code.

    To resume, the settings are those of the run, and `given` ones must agree with them.
    """
    if not corpus.statistics["train"].targets:
        raise InputError(f"{corpus.path}: nothing to train on")
    if is_corpus(directory):
        raise InputError(f"{directory}: a corpus directory; choose another for the run")
    if wanted.resume and not directory.is_dir():
        raise InputError(f"{directory}: nothing to resume; train without --resume first")
    with (
        process_group(device) as (ranks, own_device),
        locked_directory(directory) if ranks.writes else nullcontext(),
    ):
        code = _train(directory, corpus, config, wanted, own_device, given, ranks)
    # Only now: no other process waits for it.
    if not code and ranks.writes and wanted.baselines and read_run(directory).get("finished"):
        compare_with_baselines(directory / BEST, corpus, own_device)
    return code


def _train(
    directory: Path,
    corpus: Corpus,
    config: TrainingConfig,
    wanted: Wanted,
    device: torch.device,
    given: Mapping[str, Any],
    ranks: Ranks,
) -> int:
    last = directory / LAST
    saved = None
    if wanted.resume:
        if not last.exists() and not last.with_name(PREVIOUS).exists():
            raise InputError(
                f"{last}: nothing to resume; a run is saved at every evaluation and every "
                f"{SAVE_SECONDS // 60} minutes. Train without --resume first"
            )
        saved, config = _resumed(last, corpus, given, device, ranks)
    elif not wanted.overwrite and any((directory / name).exists() for name in (BEST, LAST, PREVIOUS)):
        raise InputError(
            f"{directory}: holds a run already; add --resume to go on with it, --overwrite to "
            "start again, or choose another directory"
        )
    trainer = _trainer(corpus, config, saved, device, ranks)
    ranks.wait()  # until all have read what the first is about to replace
    if not ranks.writes:
        return _follow(trainer)
    refuse_what_does_not_fit(corpus.vocabulary, corpus.pipeline)
    _refuse_a_full_disk(directory, trainer)
    run = TrainingRun(trainer, corpus, directory)
    if wanted.resume:
        cut_metrics(directory, trainer.progress.evaluated_step)
        run.say(f"resumed at step {trainer.progress.step:,} of {trainer.total_steps:,}")
    else:
        # Only now: the settings are known to work, and nothing of an older run is lost before.
        for name in (LAST, PREVIOUS, BEST, METRICS, RUN, CURVES):
            (directory / name).unlink(missing_ok=True)
    return run.train(wanted.max_minutes)


def _refuse_a_full_disk(directory: Path, trainer: Trainer) -> None:
    """Before an epoch is spent on what could not be saved: `best`, `last`, `previous` and the next `last`.

    What the run has there already makes room for its successor. Raises InputError.
    """
    needed = 4 * trainer.network.parameter_count + 3 * trainer.state_bytes
    there = sum((directory / n).stat().st_size for n in (BEST, LAST, PREVIOUS) if (directory / n).exists())
    free = shutil.disk_usage(directory).free
    if free + there < needed:
        raise InputError(
            f"{directory}: {free / 1e6:,.1f} MB free, but a run of this network takes up to "
            f"{needed / 1e6:,.1f} MB; make room, or choose another directory"
        )


def _trainer(
    corpus: Corpus, config: TrainingConfig, saved: SavedModel | None, device: torch.device, ranks: Ranks
) -> Trainer:
    if saved is None:
        generator = torch.Generator().manual_seed(config.seed)
        network = RecurrentLM(config.architecture(len(corpus.vocabulary)), generator)
    else:
        network = saved.network
    return Trainer(
        network.to(device),
        corpus.split("train"),
        corpus.split("valid"),
        config,
        saved.training if saved else None,
        ranks,
    )


class _Follower:
    """The observer of the processes that write nothing."""

    def on_start(self, untrained_loss: float, total_tokens: int) -> None: ...

    def on_step(self, loss: float, tokens: int) -> None: ...

    def on_evaluation(self, evaluation: Evaluation) -> None: ...

    def on_save(self, state: TrainingState) -> None: ...


def _follow(trainer: Trainer) -> int:
    with StopSignal(quiet=True) as stop:
        trainer.train(_Follower(), lambda: bool(stop.number), lambda: bool(stop.number))
    return stop.exit_code


def _resumed(
    last: Path, corpus: Corpus, given: Mapping[str, Any], device: torch.device, ranks: Ranks
) -> tuple[SavedModel, TrainingConfig]:
    def warn(line: str) -> None:
        if ranks.writes:
            tqdm.write(line, file=sys.stderr)

    previous = last.with_name(PREVIOUS)
    try:
        saved = load_model(last, device)
    except NewerFormatError:
        raise
    except ModelFileError as error:
        if not previous.exists():
            raise
        saved = load_model(previous, device)
        if ranks.writes and last.exists():
            # The next save keeps as `previous` what is `last` then: the damaged must not push out the good.
            last.replace(last.with_name(DAMAGED))
        warn(f"WARNING: {error}. Going on from the older {previous}")
    if saved.training is None:
        raise InputError(f"{last}: holds no training state; it cannot be resumed")
    settings = saved.training.values.get("config")
    config = TrainingConfig(**config_from_mapping(settings if isinstance(settings, dict) else {}, str(last)))
    config = replace(config, **{name: given[name] for name in CHANGEABLE if name in given})
    for name, value in given.items():
        if value != getattr(config, name):
            flag = name.replace("_", "-")
            raise ConfigError(
                f"--{flag} {_shown(value)} differs from the run's {_shown(getattr(config, name))}; "
                "leave it out"
            )
    if saved.provenance.get("corpus_sha256") != corpus.digest:
        raise InputError(f"{last}: trained on another corpus than {corpus.path}; resume on that one")
    before = saved.provenance.get("device", device.type)
    if before != device.type:
        warn(f"note: on {device.type} now, on {before} before; the run goes on with other random numbers")
    threads = saved.provenance.get("threads")
    if device.type == "cpu" and threads != torch.get_num_threads():
        warn(
            f"note: {torch.get_num_threads()} threads now, {threads} before; "
            "results will differ in the last bits"
        )
    return saved, config


def _shown(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
