"""`langmodel score`: log-probability of each input line."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from langmodel.cli.options import device_option, model_argument, threads_option
from langmodel.cores import usable_cores
from langmodel.inference.language_model import LanguageModel, SentenceScore
from langmodel.network.device import choose_device, prepare_cpu
from langmodel.storage.model_file import CONTEXTS, load_model, model_path
from langmodel.text.sources import read_lines

BASES = {"e": 1.0, "2": math.log(2), "10": math.log(10)}


@dataclass(frozen=True)
class Style:
    """What every output format is told."""

    base: str
    per_word: bool

    def log(self, natural: float) -> float:
        return natural / BASES[self.base]


def _tsv(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    """One row a line, or one a word; the text's own tabs become blanks."""
    log_prob = f"log_prob_base_{style.base}"
    if style.per_word:
        yield "\t".join(["sentence_id", "token_id", "word", log_prob, "oov"])
    else:
        yield "\t".join(["sentence_id", log_prob, "tokens", "oov", "perplexity", "text"])
    for sentence, score in enumerate(scores, start=1):
        if style.per_word:
            for token, word in enumerate(score.words, start=1):
                yield f"{sentence}\t{token}\t{word.word}\t{style.log(word.log_prob):.6f}\t{word.oov:d}"
        else:
            text = score.text.replace("\t", " ")
            yield (
                f"{sentence}\t{style.log(score.log_prob):.6f}\t{score.tokens}\t{score.oov}"
                f"\t{score.perplexity:.4f}\t{text}"
            )


def _jsonl(scores: Iterator[SentenceScore], style: Style) -> Iterator[str]:
    for score in scores:
        row: dict[str, Any] = {
            "text": score.text,
            "log_prob": _finite(style.log(score.log_prob)),
            "tokens": score.tokens,
            "oov": score.oov,
            "perplexity": _finite(score.perplexity),
            "words": [
                {"word": word.word, "log_prob": _finite(style.log(word.log_prob)), "oov": word.oov}
                for word in score.words
            ],
        }
        yield json.dumps(row, ensure_ascii=False)


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None


FORMATS: dict[str, Callable[[Iterator[SentenceScore], Style], Iterator[str]]] = {
    "tsv": _tsv,
    "jsonl": _jsonl,
}
"""Output formats: scores in, lines out."""


@click.command("score")
@model_argument
@click.argument("file", required=False, default="-")
@click.option(
    "--format", "format_", type=click.Choice(list(FORMATS)), default="tsv", show_default=True,
    help="tsv: a header that states the base, then a row a line. jsonl: an object a line, with words.",
)  # fmt: skip
@click.option("--base", type=click.Choice(list(BASES)), default="e", show_default=True, help="Of logarithms.")
@click.option("--per-word", is_flag=True, help="tsv: a row for every word and for END (</s>).")
@click.option(
    "--context", type=click.Choice(CONTEXTS), default="sentence", show_default=True,
    help="sentence: each line from the zero state. document: the state is carried from line to line.",
)  # fmt: skip
@device_option
@threads_option
def command(
    model: Path,
    file: str,
    format_: str,
    base: str,
    per_word: bool,
    context: str,
    device: str,
    threads: int | None,
) -> None:
    """Print the log-probability of each line of FILE, or of standard input, under MODEL.

    A line is one sentence; its END is counted, START is not. Blank lines get a row too: P(END | START).
    """
    prepare_cpu(threads or usable_cores())
    lm = LanguageModel.of(load_model(model_path(model), choose_device(device)))
    scores = lm.score_lines(read_lines(file), context)
    for line in FORMATS[format_](scores, Style(base, per_word)):
        print(line)
