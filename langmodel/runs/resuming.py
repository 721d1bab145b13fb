"""A run that goes on: with its own settings, from its last save; or longer than it was planned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from langmodel.configuration import shown_value
from langmodel.errors import ConfigError, InputError, ModelFileError, NewerFormatError
from langmodel.network.architecture import Architecture
from langmodel.network.products import products_of
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.storage.model_file import BEST, DAMAGED, LAST, PREVIOUS, SavedModel, load_model
from langmodel.storage.run_files import read_run
from langmodel.storage.training_state import TrainingState
from langmodel.text.corpus import Corpus
from langmodel.training.config import TrainingConfig, config_from_mapping
from langmodel.training.distributed import Ranks
from langmodel.training.trainer import Trainer

CHANGEABLE = ("on_nonfinite", "skip_limit")
"""Settings that a resumed run may be given anew: how it goes on, not what comes out."""

EXTENDABLE = ("constant", "halve", "plateau")
"""Schedules that do not look at the end of the run: a longer one has the same steps so far."""

NEXT_PEAK = 0.5
"""The highest rate of another cycle, as a share of the last one's, unless --learning-rate names it."""

SAVE_SECONDS = 600
"""A run is also saved between evaluations that are further apart than this."""


@dataclass(frozen=True)
class Resumed:
    """What a run goes on with."""

    network: RecurrentLM
    config: TrainingConfig
    state: TrainingState
    new_cycle: bool
    """Whether the schedule begins again, from the best weights."""
    is_over: bool
    """Whether it was asked to go on just as it was: if it had ended, there is nothing to do."""
    line: str = ""
    """For a person, behind where it stands."""


def resumed_run(
    directory: Path,
    corpus: Corpus,
    given: Mapping[str, Any],
    device: torch.device,
    ranks: Ranks,
    say: Callable[[str], None],
) -> Resumed:
    """Raises InputError where there is nothing to go on from, ConfigError for settings that differ."""
    last = directory / LAST
    if not last.exists() and not last.with_name(PREVIOUS).exists():
        raise InputError(
            f"{last}: nothing to resume; a run is saved at every evaluation and every {SAVE_SECONDS // 60} "
            "minutes. Train without --resume first"
        )
    saved = _saved(last, device, ranks, say)
    assert saved.training is not None
    config = _config(saved.training, saved.network.architecture, last)
    vocabulary = saved.vocabulary
    if config.architecture(len(vocabulary), vocabulary.counts) != saved.network.architecture:
        raise InputError(
            f"{last}: its settings and its network contradict each other; restore it from a copy"
        )
    if saved.provenance.get("corpus_sha256") != corpus.digest:
        raise InputError(f"{last}: not trained on {corpus.path}; resume with the run's own corpus")
    _note_differences(saved, device, products_of(config.precision, device), ranks.count, say)
    wanted = {**given}
    longer = wanted.pop("epochs", config.epochs)
    if longer < config.epochs:
        raise ConfigError(
            f"--epochs {longer:g}: the run has {config.epochs:g} already; give more, or leave it out"
        )
    is_longer = longer > config.epochs
    patience = wanted.pop("patience", config.patience) if is_longer else config.patience
    peak = wanted.pop("learning_rate", None) if is_longer and config.schedule not in EXTENDABLE else None
    changed = {name: wanted.pop(name) for name in CHANGEABLE if name in wanted}
    for name, value in wanted.items():
        if value != getattr(config, name):
            raise ConfigError(
                f"--{name.replace('_', '-')} {shown_value(value)} differs from the run's "
                f"{shown_value(getattr(config, name))}; leave it out"
            )
    config = replace(config, epochs=longer, patience=patience, **changed)
    if not is_longer:
        return Resumed(saved.network, config, saved.training, False, is_over=not changed)
    if config.schedule in EXTENDABLE and config.average != "tail":
        return Resumed(
            saved.network,
            config,
            saved.training,
            False,
            is_over=False,
            line=f", made longer: {longer:g} epochs",
        )
    return _another_cycle(directory, config, saved, peak, device)


def _another_cycle(
    directory: Path, config: TrainingConfig, saved: SavedModel, peak: float | None, device: torch.device
) -> Resumed:
    """The best weights, and the schedule from its beginning over the epochs that are added."""
    assert saved.training is not None
    if not read_run(directory).get("finished"):
        raise ConfigError(
            f"{directory}: in the middle of its {config.schedule} schedule; finish it with --resume alone "
            "before making it longer"
        )
    best = load_model(directory / BEST, device)
    config = replace(config, learning_rate=peak or NEXT_PEAK * config.learning_rate)
    return Resumed(
        best.network,
        config,
        saved.training,
        True,
        is_over=False,
        line=f", made longer to {config.epochs:g} epochs: from the best weights, another cycle of the rate, "
        f"up to {config.learning_rate:g} (--learning-rate)",
    )


def is_finished(directory: Path, trainer: Trainer) -> bool:
    """Whether a run has ended, with all that is made at its end."""
    return (
        bool(read_run(directory).get("finished"))
        and (directory / BEST).exists()
        and (trainer.is_over or trainer.is_out_of_patience)
    )


def _saved(last: Path, device: torch.device, ranks: Ranks, say: Callable[[str], None]) -> SavedModel:
    """`last`, or `previous` if that is damaged."""
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
        say(f"WARNING: {error}. Going on from the older {previous}")
    if saved.training is None:
        raise InputError(f"{last}: holds no training state; it cannot be resumed")
    return saved


GONE = ("pdr", "cuda_graphs")
"""Settings of earlier versions, without effect at 0 and where switched off."""


def _config(training: TrainingState, architecture: Architecture, last: Path) -> TrainingConfig:
    """Settings that a run of an earlier version did not have are those of its network, or the defaults."""
    settings = training.values.get("config")
    known = dict(settings) if isinstance(settings, dict) else {}
    known.setdefault("band_factor", architecture.band_factor)
    for name in GONE:
        if known.get(name) == 0.0:
            del known[name]
    return TrainingConfig(**config_from_mapping(known, str(last)))


def _note_differences(
    saved: SavedModel, device: torch.device, products: str, processes: int, say: Callable[[str], None]
) -> None:
    before = saved.provenance.get("device", device.type)
    if before != device.type:
        say(f"note: on {device.type} now, on {before} before; the run's random numbers will differ")
    before = saved.provenance.get("products", products)
    if device.type == "cpu" and before != products:
        say(f"note: matrix products by {products} now, by {before} before; results will differ slightly")
    before = saved.provenance.get("processes", processes)
    if before != processes:
        say(
            f"note: {processes} process{'es' * (processes != 1)} now, {before} before; results will differ "
            "in the last bits"
        )
    threads = saved.provenance.get("threads")
    if device.type == "cpu" and threads != torch.get_num_threads():
        say(
            f"note: {torch.get_num_threads()} threads now, {threads} before; "
            "results will differ in the last bits"
        )
