"""A training run on disk and on the terminal: the trainer's observer, which saves and reports."""

import math
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from langmodel import __version__
from langmodel.display.curves import draw_curves
from langmodel.display.model_report import shown_perplexity, shown_softmax
from langmodel.display.narration import Narrator, Silent
from langmodel.inference.language_model import LanguageModel
from langmodel.network.evaluation import Interrupted
from langmodel.network.likelihood import perplexity
from langmodel.network.products import products_of
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.runs.resuming import SAVE_SECONDS
from langmodel.runs.signals import StopSignal
from langmodel.runs.thread_watch import ThreadWatch
from langmodel.storage.atomic import DirectoryLock
from langmodel.storage.model_file import BEST, LAST, PREVIOUS, SavedModel, save_model
from langmodel.storage.run_files import CURVES, METRICS, RUN, append_metrics, read_metrics, write_run
from langmodel.storage.training_state import TrainingState
from langmodel.text.corpus import Corpus
from langmodel.training.progress import Evaluation, Observer
from langmodel.training.trainer import Trainer

SHOWN_SAMPLES = 2

RATE_SMOOTHING = 0.98


class TrainingRun(Observer):
    """One run directory while it is trained in."""

    def __init__(
        self,
        trainer: Trainer,
        corpus: Corpus,
        directory: Path,
        lock: DirectoryLock,
        narrator: Narrator,
        *,
        more: dict[str, Any],
        observers: Sequence[Observer] = (),
        write_scalars: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """`more` is added to run.json; `observers` are called after this one."""
        self.trainer = trainer
        self.corpus = corpus
        self.directory = directory
        self._lock = lock
        self._narrator = narrator
        self._more = more
        self._observers = observers
        self._write_scalars = write_scalars
        self.config = trainer.config
        self._started = self._last_save = self._last_evaluation = time.monotonic()
        self._tokens_at_evaluation = trainer.progress.tokens
        self._loss = math.nan
        self._bar: Any = None
        self._thread_watch = ThreadWatch(trainer.network.device, self.say, trainer.processes)

    # What the trainer tells.

    def on_start(self, untrained_loss: float, total_tokens: int) -> None:
        rows = len(self.corpus.vocabulary)
        self.say(f"untrained loss {untrained_loss:.3f} nats; ln V = ln {rows:,} = {math.log(rows):.3f}")
        self._thread_watch.restart()
        for observer in self._observers:
            observer.on_start(untrained_loss, total_tokens)

    def on_step(self, loss: float, tokens: int) -> None:
        if not math.isfinite(loss):
            loss = self._loss  # a skipped step
        self._loss = (
            loss if math.isnan(self._loss) else (RATE_SMOOTHING * self._loss + (1 - RATE_SMOOTHING) * loss)
        )
        if not self._bar.disable:
            shown = f"loss {self._loss:.3f}, perplexity {shown_perplexity(self._loss)}"
            self._bar.set_postfix_str(shown, refresh=False)
        self._bar.update(tokens)
        self._thread_watch.on_step()
        for observer in self._observers:
            observer.on_step(loss, tokens)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        now = time.monotonic()
        words = evaluation.tokens - self._tokens_at_evaluation
        rate = words / max(now - self._last_evaluation, 1e-9)
        valid = evaluation.valid
        self._lock.verify()
        row = {
            "step": evaluation.step,
            "epoch": evaluation.epoch,
            "tokens": evaluation.tokens,
            "learning_rate": evaluation.learning_rate,
            "train_loss": min(evaluation.train_loss, sys.float_info.max),
            "train_perplexity": min(perplexity(evaluation.train_loss, 1), sys.float_info.max),
            "valid_loss": valid and valid.loss,
            "valid_perplexity": valid and min(valid.perplexity, sys.float_info.max),
            "words_per_second": rate,
            "seconds": now - self._started,
        }
        append_metrics(self.directory, row)
        if self._write_scalars is not None:
            self._write_scalars(row)
        if evaluation.is_best:
            self._lock.verify()
            save_model(self.directory / BEST, self._saved(self.trainer.judged))
        judged = "" if valid is None else f"validation perplexity {shown_perplexity(valid.loss)}, "
        self.say(
            f"epoch {evaluation.tokens / self.tokens_per_epoch:.3g}: {judged}training perplexity "
            f"{shown_perplexity(evaluation.train_loss)}, {rate:,.0f} tokens/s"
            + (", best so far" if evaluation.is_best else "")
        )
        if not self.config.backward:
            lm = LanguageModel(self.trainer.judged, self.corpus.vocabulary, self.corpus.pipeline)
            for sentence in lm.sample(SHOWN_SAMPLES, seed=evaluation.number):
                self.say(f"    {sentence}")
        self.trainer.network.train()
        self._last_evaluation, self._tokens_at_evaluation = time.monotonic(), evaluation.tokens
        self._thread_watch.restart()
        for observer in self._observers:
            observer.on_evaluation(evaluation)

    def on_save(self, state: TrainingState) -> None:
        self._lock.verify()
        saved = self._saved(self.trainer.network, state)
        save_model(self.directory / LAST, saved, keep_as=self.directory / PREVIOUS)
        self._last_save = time.monotonic()
        self._thread_watch.restart()
        for observer in self._observers:
            observer.on_save(state)

    # What the run does.

    @property
    def tokens_per_epoch(self) -> int:
        return self.trainer.tokens_per_epoch

    def say(self, line: str) -> None:
        self._narrator.say(line)

    def _saved(self, network: RecurrentLM, training: TrainingState | None = None) -> SavedModel:
        progress = self.trainer.progress
        return SavedModel(
            network=network,
            vocabulary=self.corpus.vocabulary,
            pipeline=self.corpus.pipeline,
            context=self.config.context,
            direction="backward" if self.config.backward else "forward",
            provenance={
                "langmodel": __version__,
                "config": self.config.to_dict(),
                "corpus_sha256": self.corpus.digest,
                "threads": torch.get_num_threads(),
                "processes": self.trainer.processes,
                "products": products_of(self.config.precision, self.trainer.network.device),
                "device": self.trainer.network.device.type,
                "step": progress.step,
                "tokens": progress.tokens,
                "best_loss": None if math.isinf(progress.best_loss) else progress.best_loss,
            },
            training=training,
        )

    def train(self, deadline: float = math.inf, limit: str = "") -> int:
        """Train to the end, until `deadline` on the monotonic clock (`limit` says what it is called), or to a
        signal; returns the exit code.
        """
        self._describe()
        bar = self._narrator.bar("training", self.trainer.total_tokens, self.trainer.progress.tokens)
        with StopSignal(quiet=isinstance(self._narrator, Silent)) as stop, bar as self._bar:
            finished = self.trainer.train(
                self,
                should_stop=lambda: bool(stop.number) or time.monotonic() > deadline,
                interrupt_evaluation=lambda: bool(stop.number),
                should_save=lambda: time.monotonic() - self._last_save > SAVE_SECONDS,
            )
            if not finished and not stop.number and time.monotonic() > deadline:
                with suppress(Interrupted):
                    self.trainer.evaluate_here(self, lambda: bool(stop.number))
        if stop.number:
            self.say(f"interrupted at step {self.trainer.progress.step:,}; go on with --resume")
            return stop.exit_code
        if not finished and not (self.directory / BEST).exists():
            save_model(self.directory / BEST, self._saved(self.trainer.judged))
        self._finish(finished, limit if time.monotonic() > deadline else "")
        return 0

    def _describe(self) -> None:
        network, threads = self.trainer.network, torch.get_num_threads()
        a = network.architecture
        layers = " + ".join(map(str, a.hidden_sizes))
        embedding = f"embedding {a.embedding_size}" if a.embedding_size else "one-hot input"
        self.say(
            f"{a.cell.upper()} {layers}, {embedding}{', tied' if a.tied else ''}, "
            f"{network.parameter_count:,} parameters, on {network.device}"
            + (f" with {threads} thread{'s' * (threads != 1)}" if network.device.type == "cpu" else "")
            + (", recurrent layers in float16" if self.trainer.float16 else "")
            + (", products in bfloat16" if self.trainer.bfloat16 else "")
        )
        if a.bands:
            self.say(f"softmax {shown_softmax(a)}")
        write_run(self.directory, self._run_values())

    def _run_values(self) -> dict[str, Any]:
        return {
            "langmodel": __version__,
            "corpus": str(self.corpus.path.resolve()),
            "corpus_sha256": self.corpus.digest,
            "config": self.config.to_dict(),
            "architecture": self.trainer.network.architecture.to_dict(),
            "parameters": self.trainer.network.parameter_count,
            "device": str(self.trainer.network.device),
            "threads": torch.get_num_threads(),
            "versions": {"python": platform.python_version(), "torch": torch.__version__},
            **self._more,
        }

    def _finish(self, finished: bool, limit: str) -> None:
        progress = asdict(self.trainer.progress)
        if math.isinf(progress["best_loss"]):
            progress["best_loss"] = None
        write_run(self.directory, {**self._run_values(), "finished": finished, "result": progress})
        rows = read_metrics(self.directory)
        drawn = bool(rows) and draw_curves(rows, self.tokens_per_epoch, self.directory / CURVES)
        if not finished and limit:
            self.say(f"stopped after {limit}; go on with --resume")
        elif not finished:
            self.say("stopped by another process; go on with --resume")
        elif not self.trainer.is_over:
            self.say(f"stopped early: {self.config.patience} evaluations without a better loss")
        if rows and not drawn:
            self.say(f"{CURVES} not drawn; it needs matplotlib: pip install 'langmodel[plot]'")
        if progress["best_loss"] is not None:
            judged = "validation" if self.corpus.statistics["valid"].tokens else "training"
            self._narrator.tell(
                f"best {judged} perplexity {shown_perplexity(progress['best_loss'])} "
                f"at step {progress['best_step']:,}"
            )
        files = [name for name in (BEST, LAST, METRICS, RUN, CURVES) if (self.directory / name).exists()]
        self._narrator.tell(f"written to {self.directory}: {', '.join(files)}")
