"""`langmodel.train`: a corpus -> a run, as the command does it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from langmodel.display.comparison import as_html, comparison_rows, summary
from langmodel.display.curves import curves
from langmodel.display.narration import Narrator, Silent
from langmodel.errors import InputError
from langmodel.inference.language_model import LanguageModel, load
from langmodel.network.device import choose_device, prepare_cpu
from langmodel.runs.run_directory import RunOptions, train_in
from langmodel.storage.run_files import read_metrics, read_run
from langmodel.text.corpus import Corpus, open_corpus
from langmodel.training.config import chosen_settings, config_from_mapping
from langmodel.training.progress import Evaluation, Observer


@dataclass(frozen=True)
class Run:
    """A run directory: what was trained, and how it went."""

    path: Path
    exit_code: int = 0
    """Of the training that made this object: 130 after Ctrl-C, 143 after SIGTERM, else 0."""

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """A row for every evaluation: step, epoch, tokens, losses in nats per token, words per second."""
        return read_metrics(self.path)

    @property
    def settings(self) -> dict[str, Any]:
        """What run.json says of network and training."""
        return dict(read_run(self.path).get("config", {}))

    @property
    def finished(self) -> bool:
        return bool(read_run(self.path).get("finished"))

    @cached_property
    def model(self) -> LanguageModel:
        """The best model so far."""
        return load(self.path)

    @property
    def best_perplexity(self) -> float | None:
        """Of the validation split; of training where there is none."""
        found = [
            row["train_perplexity"] if row["valid_perplexity"] is None else row["valid_perplexity"]
            for row in self.metrics
        ]
        return min(found, default=None)

    def __repr__(self) -> str:
        state = "finished" if self.finished else "not finished"
        best = self.best_perplexity
        reached = "no evaluation yet" if best is None else f"best perplexity {best:,.2f}"
        return f"<Run {self.path}: {reached}, {state}>"

    def _repr_html_(self) -> str:
        """Table and curve."""
        found = summary(self.path)
        table = as_html(comparison_rows([found]))
        tokens = next((row["tokens"] / row["epoch"] for row in found.rows if row.get("epoch")), 1)
        drawn = curves(found.rows, max(1, round(tokens)))
        return table + ("" if drawn is None else drawn[drawn.index("<svg") :])


class _OfEvaluations(Observer):
    def __init__(self, function: Callable[[Evaluation], None]) -> None:
        self._function = function

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self._function(evaluation)


def train(
    corpus: Corpus | str | Path,
    output: str | Path,
    *,
    preset: str | None = None,
    config: str | Path | None = None,
    from_model: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    minutes: float | None = None,
    max_minutes: float | None = None,
    compare: bool = True,
    arpa: str | Path | None = None,
    tensorboard: bool = False,
    device: str = "auto",
    threads: int | None = None,
    observer: Observer | None = None,
    on_evaluation: Callable[[Evaluation], None] | None = None,
    quiet: bool = False,
    **settings: Any,
) -> Run:
    """Train a network on a corpus in the run directory `output`; the flags of `langmodel train`, as keywords.

    `settings` are fields of TrainingConfig (`epochs=12, dropout=0.4, hidden_size=256`); they override
    `preset` and the TOML file `config`. `arpa` names a file of n-grams to mix with the
    network in place of those of the corpus. An `observer` follows the run; the function `on_evaluation` is
    called with every evaluation. Ctrl-C, or a notebook's stop button, saves and returns the run so
    far; `resume=True` goes on, bit for bit as if it had never stopped. The same seed, corpus, machine and
    threads give the same bytes as the command. Raises ConfigError for unknown settings.
    """
    opened = corpus if isinstance(corpus, Corpus) else open_corpus(Path(corpus))
    given = chosen_settings(
        preset, None if config is None else Path(config), config_from_mapping(settings, "train")
    )
    observers = [] if observer is None else [observer]
    if on_evaluation is not None:
        observers.append(_OfEvaluations(on_evaluation))
    options = RunOptions(
        minutes=minutes,
        max_minutes=max_minutes,
        resume=resume,
        overwrite=overwrite,
        from_model=None if from_model is None else Path(from_model),
        compare=compare,
        arpa=None if arpa is None else Path(arpa),
        tensorboard=tensorboard,
        suit=preset is None and config is None,
        observers=tuple(observers),
    )
    narrator = Silent() if quiet else Narrator()
    return run_training(opened, Path(output), given, options, device, threads, narrator)


def run_training(
    corpus: Corpus,
    output: Path,
    given: dict[str, Any],
    options: RunOptions,
    device: str,
    threads: int | None,
    narrator: Narrator,
) -> Run:
    """What `train` and the command have in common."""
    prepare_cpu(threads)
    code = train_in(output, corpus, given, options, device=choose_device(device), narrator=narrator)
    return Run(output, code)


def open_run(path: str | Path) -> Run:
    """A run directory that is there already. Raises InputError where there is none."""
    if not read_run(Path(path)):
        raise InputError(f"{path}: not a run directory; train one with langmodel.train or `langmodel train`")
    return Run(Path(path))


__all__ = ["Run", "open_run", "run_training", "train"]
