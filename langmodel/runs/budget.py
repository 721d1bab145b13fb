"""A time budget -> a plan: how many epochs this machine can do in it, evaluations and the end included."""

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from langmodel.network.evaluation import evaluate_windows, read_document
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import Window
from langmodel.ngrams.comparison import ORDER
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.runs.comparison import MAX_VALID_TOKENS
from langmodel.runs.completing import MAX_TRAIN_TOKENS
from langmodel.text.corpus import Corpus
from langmodel.training.config import TrainingConfig
from langmodel.training.sampled_softmax import stages
from langmodel.training.trainer import Trainer

AIM = 0.96
"""Share of the minutes that is planned for: a machine is not always as fast as it was for some seconds."""

PROBE_SHARE, PROBE_SECONDS = 0.05, (1.0, 12.0)
"""How long the speed is measured: this share of the budget, within these bounds."""

LEAST_EVALUATIONS = 5

SAMPLE_TOKENS = 30_000
"""Of the training split, for the time that n-grams take."""

READ_TOKENS = 600
"""Read word by word, for the time that the comparison at the end takes."""


@dataclass(frozen=True)
class Plan:
    """What is to be done in so many minutes."""

    minutes: float
    config: TrainingConfig
    """With the epochs that fit, and evaluations on the way."""
    tokens_per_second: float
    """Of training, as measured."""
    reserve: float
    """Seconds that are kept for the comparison with n-grams at the end."""

    @property
    def line(self) -> str:
        every = f" --evaluate-every {self.config.evaluate_every}" if self.config.evaluate_every else ""
        short = (
            "; that is less than one pass over the text, so give it more time or a smaller --hidden-size"
            if self.config.epochs < 1
            else ""
        )
        return (
            f"plan for {self.minutes:g} minutes at {self.tokens_per_second:,.0f} tokens/s: "
            f"{self.config.epochs:g} epochs (to repeat it: --epochs {self.config.epochs:g}{every} "
            f"--patience {self.config.patience}){short}"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "minutes": self.minutes,
            "epochs": self.config.epochs,
            "evaluate_every": self.config.evaluate_every,
            "tokens_per_second": self.tokens_per_second,
            "reserve_seconds": self.reserve,
        }


def plan_for(
    network: RecurrentLM,
    corpus: Corpus,
    config: TrainingConfig,
    minutes: float,
    *,
    since: float,
    completes: bool,
) -> Plan:
    """Measures a copy of the network on this corpus; `since`, on the monotonic clock, the minutes count."""
    least, most = PROBE_SECONDS
    seconds = min(max(PROBE_SHARE * 60 * minutes, least), most)
    probe = Trainer(copy.deepcopy(network), corpus.split("train"), corpus.split("valid"), config)
    step, tokens_per_step = step_time(probe, seconds)
    evaluation = _evaluation_time(probe, corpus)
    reserve = _completion_time(network, corpus) if completes else 0.0
    left = AIM * 60 * minutes - (time.monotonic() - since) - reserve
    steps_per_epoch = probe.steps_of(1)
    # Once an epoch where that is often enough: each epoch then costs its evaluation too.
    epochs = left / (steps_per_epoch * step + evaluation)
    every = 0
    if epochs < LEAST_EVALUATIONS:
        epochs = (left - LEAST_EVALUATIONS * evaluation) / (steps_per_epoch * step)
        epochs = _three_digits(max(epochs, 1 / steps_per_epoch))
        every = max(1, math.ceil(epochs * steps_per_epoch / LEAST_EVALUATIONS))
    planned = replace(config, epochs=_three_digits(epochs), evaluate_every=every, patience=0)
    return Plan(minutes, planned, tokens_per_step / step, reserve)


def plan_left(run: Mapping[str, Any], trainer: Trainer) -> str:
    """For a run that goes on: how long the rest of its plan takes, at the speed that it was made for."""
    plan = run.get("plan")
    if not isinstance(plan, dict):
        return ""
    minutes, speed = plan.get("minutes"), plan.get("tokens_per_second")
    if not isinstance(minutes, int | float) or not isinstance(speed, float) or not speed > 0:
        return ""
    left = (trainer.total_tokens - trainer.progress.tokens) / speed / 60
    return (
        f"planned for {minutes:g} minutes; about {left:.1f} are left at that plan's {speed:,.0f} tokens/s "
        "(--max-minutes stops earlier)"
    )


def _three_digits(number: float) -> float:
    """Rounded down, so that it can be said and typed."""
    scale = math.pow(10, math.floor(math.log10(number)) - 2)
    rounded: float = math.floor(number / scale) * scale
    return float(f"{rounded:.6g}")


def step_time(trainer: Trainer, seconds: float) -> tuple[float, float]:
    """Mean seconds and tokens of a step, over the stages of a sampled softmax."""
    windows = (window for epoch in range(10**9) for window in trainer.windows(epoch))
    trainer.network.train()
    time_of_all = tokens_of_all = 0.0
    for begin, end in stages(trainer.config.sampled_softmax):
        trainer.progress.step = math.ceil(begin * trainer.total_steps)
        step, tokens = _stage_time(trainer, windows, (end - begin) * seconds)
        time_of_all += (end - begin) * step
        tokens_of_all += (end - begin) * tokens
    return time_of_all, tokens_of_all


def _stage_time(trainer: Trainer, windows: Iterator[Window], seconds: float) -> tuple[float, float]:
    """The same from here, after the first few steps, which are slow."""
    for _ in range(3):
        trainer.train_step(next(windows))
    begun, steps, tokens = time.monotonic(), 0, 0
    while time.monotonic() - begun < seconds:
        window = next(windows)
        trainer.train_step(window)
        steps, tokens = steps + 1, tokens + window.tokens
    return (time.monotonic() - begun) / steps, tokens / steps


def _evaluation_time(trainer: Trainer, corpus: Corpus) -> float:
    """Seconds that an evaluation takes, its samples and its saves included, from a part of it."""
    begun = time.monotonic()
    part = evaluate_windows(trainer.network, trainer.untrained_windows)
    share = corpus.statistics["valid"].targets / max(1, part.tokens)
    return (time.monotonic() - begun) * share + SAVES_SECONDS


SAVES_SECONDS = 0.5

CHOOSING = 2.5
"""To count n-grams, to choose among them and to fit the gate takes so many times what counting takes."""

READINGS = 3
"""Of the validation split: to fit the gate, and to compare with and without n-grams."""


@torch.inference_mode()
def _completion_time(network: RecurrentLM, corpus: Corpus) -> float:
    """Seconds that n-grams take to be counted, mixed with the network and compared with it, from parts."""
    train, valid = corpus.split("train"), corpus.split("valid")[:MAX_VALID_TOKENS]
    if len(train) > MAX_TRAIN_TOKENS or not len(valid):
        return 0.0
    begun = time.monotonic()
    sample = train[:SAMPLE_TOKENS]
    KneserNey(sample, len(corpus.vocabulary), ORDER)
    ngrams = (time.monotonic() - begun) * (len(train) / len(sample)) ** 1.1
    begun = time.monotonic()
    read = 0
    for _, targets in read_document(network.eval(), valid[:READ_TOKENS]):
        read += len(targets)
    return float(CHOOSING * ngrams + READINGS * (time.monotonic() - begun) * len(valid) / read)
