"""A run directory and its trainer: begun, taken up again where it stopped, or made longer."""

import shutil
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from langmodel.display.narration import Narrator
from langmodel.errors import ConfigError, InputError
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import from_the_end
from langmodel.runs.budget import Plan, plan_for, plan_left
from langmodel.runs.completing import finish, read_matching_arpa, refuse_too_large
from langmodel.runs.resuming import Resumed, is_finished, resumed_run
from langmodel.runs.signals import StopSignal
from langmodel.runs.suiting import suited_settings
from langmodel.runs.tensorboard import scalar_writer
from langmodel.runs.training_run import TrainingRun
from langmodel.runs.warm_start import WarmStart, settings_of, warm_start
from langmodel.storage.atomic import DirectoryLock, locked_directory
from langmodel.storage.model_file import BEST, LAST, PREVIOUS, refuse_what_does_not_fit
from langmodel.storage.run_files import CURVES, METRICS, RUN, cut_metrics, read_run
from langmodel.storage.training_state import TrainingState
from langmodel.text.corpus import Corpus
from langmodel.text.corpus_files import is_corpus
from langmodel.training.config import TrainingConfig
from langmodel.training.distributed import Ranks, process_group
from langmodel.training.progress import Observer
from langmodel.training.trainer import Trainer

KEPT = ("plan", "from", "arpa")
"""What run.json says of how a run began, also after it went on."""

LATE = 1.05
"""A run with a plan is stopped when it takes so many times the minutes that it was given."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Options of a run, beside the settings of its training."""

    minutes: float | None = None
    """Plan epochs and schedule to end after this long."""
    max_minutes: float | None = None
    """Stop after this long, wherever the run is."""
    resume: bool = False
    overwrite: bool = False
    from_model: Path | None = None
    """A model whose weights the network begins with."""
    compare: bool = True
    """Compare the result with n-grams in the end."""
    suit: bool = True
    """Settings that are not given suit the size of the corpus."""
    arpa: Path | None = None
    """A file of n-grams to mix with the network, in place of those of the corpus."""
    tensorboard: bool = False
    """Write the evaluations as TensorBoard's scalars too."""
    command: tuple[str, ...] = ()
    """As typed, for run.json."""
    observers: tuple[Observer, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for name in ("minutes", "max_minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1e6:  # NaN is neither
                raise ConfigError(f"--{name.replace('_', '-')} must be a number over 0, got {value}")
        if self.resume and self.overwrite:
            raise ConfigError("--resume and --overwrite cannot be combined")
        if self.resume and self.from_model is not None:
            raise ConfigError("--resume goes on from the run's own weights; leave out --from")
        if self.resume and self.minutes is not None:
            raise ConfigError("--resume follows the run's own plan; give --max-minutes, or --epochs")


def train_in(
    directory: Path,
    corpus: Corpus,
    given: Mapping[str, Any],
    options: RunOptions = RunOptions(),
    *,
    device: torch.device,
    narrator: Narrator,
) -> int:
    """Train in a run directory, with the other processes that torchrun has started; returns the exit code.

    `given` settings stand against the defaults, or against those that suit the corpus; to resume, the
    settings are those of the run, and given ones must agree with them or make it longer.
    """
    started = time.monotonic()
    if not corpus.statistics["train"].targets:
        raise InputError(f"{corpus.path}: nothing to train on")
    if is_corpus(directory):
        raise InputError(f"{directory}: a corpus directory; choose another for the run")
    if options.resume and not directory.is_dir():
        raise InputError(f"{directory}: nothing to resume; train without --resume first")
    config = None if options.resume else TrainingConfig(**given)  # before the directory is made
    refuse_too_large(corpus, given.get("ngrams", 0))
    with (
        process_group(device) as (ranks, own_device),
        locked_directory(directory) if ranks.writes else nullcontext() as lock,
    ):
        ranks.refuse_disagreement(corpus.digest, str(corpus.path))
        run = _Run(directory, corpus, options, own_device, narrator, ranks, lock, started)
        if options.resume:
            code = run.go_on(given)
        else:
            assert config is not None
            code = run.begin(config, given)
    # Only now: no other process waits for it.
    if code or not ranks.writes:
        return code or 0
    finish(directory, corpus, own_device, narrator, compares=options.compare and code is not None)
    return 0


def has_begun(directory: Path) -> bool:
    """Whether there is a save to go on from."""
    return any((directory / name).exists() for name in (LAST, PREVIOUS))


@dataclass(frozen=True)
class _Run:
    directory: Path
    corpus: Corpus
    options: RunOptions
    device: torch.device
    narrator: Narrator
    ranks: Ranks
    lock: DirectoryLock | None
    started: float

    def say(self, line: str) -> None:
        if self.ranks.writes:
            self.narrator.say(line)

    def begin(self, config: TrainingConfig, given: Mapping[str, Any]) -> int:
        """Start a run where there is none."""
        there = [name for name in (BEST, LAST, PREVIOUS) if (self.directory / name).exists()]
        if there and not self.options.overwrite:
            raise InputError(
                f"{self.directory}: holds a run already; add --resume to go on with it, --overwrite to "
                "start again, or choose another directory"
            )
        start, lines = None, list[str]()
        if self.options.from_model is not None:
            given = settings_of(self.options.from_model, given)
            config = TrainingConfig(**given)
        elif self.options.suit:
            config, line = suited_settings(self.corpus, given, plans_epochs=self.options.minutes is not None)
            lines += [line] if line else []
        generator = torch.Generator().manual_seed(config.seed)
        vocabulary = self.corpus.vocabulary
        network = RecurrentLM(config.architecture(len(vocabulary), vocabulary.counts), generator)
        if self.options.from_model is not None:
            start = warm_start(
                network, self.options.from_model, self.corpus, generator, backward=config.backward
            )
            lines.append(start.line)
        plan = None
        if self.options.minutes is not None:
            plan = self._plan(network, config)
            config = plan.config
            self.say(plan.line)
        trainer = self._trainer(network, config)
        for line in lines:  # what cannot be used has been refused by now
            self.say(line)
        return self._train(trainer, plan, start)

    def go_on(self, given: Mapping[str, Any]) -> int | None:
        """Take up the run in the directory; None if there is nothing left to do."""
        found = resumed_run(self.directory, self.corpus, given, self.device, self.ranks, self.say)
        trainer = self._trainer(found.network, found.config, found.state, new_cycle=found.new_cycle)
        if found.is_over and is_finished(self.directory, trainer):
            if self.ranks.writes:
                self.narrator.tell(_finished(self.directory, trainer))
            return None
        return self._train(trainer, None, None, found)

    def _plan(self, network: RecurrentLM, config: TrainingConfig) -> Plan:
        if self.ranks.count > 1:
            raise ConfigError("--minutes plans for one process; give --epochs with several")
        assert self.options.minutes is not None
        self.narrator.say("measuring the speed of this machine for a few seconds")
        return plan_for(
            network.to(self.device),
            self.corpus,
            config,
            self.options.minutes,
            since=self.started,
            completes=self.options.compare or config.ngrams > 0,
        )

    def _trainer(
        self,
        network: RecurrentLM,
        config: TrainingConfig,
        state: TrainingState | None = None,
        *,
        new_cycle: bool = False,
    ) -> Trainer:
        check = self.ranks.is_first_here
        train, valid = (self.corpus.split(name, check=check) for name in ("train", "valid"))
        if config.backward:
            train, valid = from_the_end(train), from_the_end(valid)
        return Trainer(
            network.to(self.device),
            train,
            valid,
            config,
            state,
            self.ranks,
            new_cycle=new_cycle,
        )

    def _train(
        self, trainer: Trainer, plan: Plan | None, start: WarmStart | None, resumed: Resumed | None = None
    ) -> int:
        self.ranks.wait()  # until all have read what the first is about to replace
        if self.lock is None:
            return _follow(trainer)
        refuse_what_does_not_fit(self.corpus.vocabulary, self.corpus.pipeline)
        _refuse_a_full_disk(self.directory, trainer)
        if resumed is None:
            # Only now: the settings are known to work, and nothing of an older run is lost before.
            for name in (LAST, PREVIOUS, BEST, METRICS, RUN, CURVES):
                (self.directory / name).unlink(missing_ok=True)
        else:
            cut_metrics(self.directory, trainer.progress.evaluated_step)
            self.say(f"resumed at step {trainer.progress.step:,} of {trainer.total_steps:,}{resumed.line}")
            if line := plan_left(read_run(self.directory), trainer):
                self.say(line)
        run = TrainingRun(
            trainer,
            self.corpus,
            self.directory,
            self.lock,
            self.narrator,
            more=self._more(plan, start),
            observers=self.options.observers,
            write_scalars=scalar_writer(self.directory) if self.options.tensorboard else None,
        )
        return run.train(*self._deadline(plan))

    def _more(self, plan: Plan | None, start: WarmStart | None) -> dict[str, Any]:
        """What run.json says beside the settings; a resumed run keeps what stood there."""
        kept = read_run(self.directory) if self.options.resume else {}
        values: dict[str, Any] = {name: kept[name] for name in KEPT if name in kept}
        if self.options.arpa is not None:
            read_matching_arpa(self.options.arpa, self.corpus.vocabulary, self.narrator)
            values["arpa"] = str(self.options.arpa.resolve())
        if self.options.command:
            values["command"] = list(self.options.command)
        if plan is not None:
            values["plan"] = plan.to_dict()
        if start is not None:
            values["from"] = start.to_dict()
        return values

    def _deadline(self, plan: Plan | None) -> tuple[float, str]:
        limits = [(float("inf"), "")]
        if self.options.max_minutes is not None:
            limits.append((self.options.max_minutes, f"{self.options.max_minutes:g} minutes"))
        if plan is not None:
            limits.append(
                (
                    LATE * plan.minutes - plan.reserve / 60,
                    f"{plan.minutes:g} minutes: slower than planned",
                )
            )
        minutes, name = min(limits)
        return self.started + 60 * minutes, name


def _finished(directory: Path, trainer: Trainer) -> str:
    return (
        f"{directory}: finished, after {trainer.progress.tokens / trainer.tokens_per_epoch:.4g} epochs; "
        "--epochs with a larger number makes it longer"
    )


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


def _follow(trainer: Trainer) -> int:
    """A process that writes nothing."""
    with StopSignal(quiet=True) as stop:
        trainer.train(Observer(), lambda: bool(stop.number), lambda: bool(stop.number))
    return stop.exit_code
