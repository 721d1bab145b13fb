"""`langmodel sample`: new sentences, one per line."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from secrets import randbelow
from typing import Any

import click

from langmodel.cli.advice import apostrophe_advice
from langmodel.cli.options import (
    Choice,
    device_option,
    given,
    model_argument,
    network_only_option,
    settings_options,
    threads_option,
)
from langmodel.display.bars import counted
from langmodel.errors import ConfigError
from langmodel.formats.score_style import finite
from langmodel.inference.language_model import LanguageModel, load
from langmodel.inference.results import SampledSentence
from langmodel.inference.settings import MAX_SEED, SamplingSettings
from langmodel.network.device import prepare_cpu
from langmodel.runs.sampling_job import DEFAULT_COUNT, DEFAULT_PASSAGES, MAX_OVERLAP, SamplingJob
from langmodel.text.printable import printable
from langmodel.text.sources import read_lines

LONG = 40
"""Words of a single sentence beyond which a person may want a passage instead."""

SHOWN_WORDS = 10
"""Unknown ones that a note names."""

MAX_LISTED = 100_000
"""Prefixes, or banned words, in a file."""

MAX_BEAM = 1_000


def _few_lines(file: Path, flag: str) -> list[str]:
    """The lines of a list. Raises ConfigError for more than anybody means, before they take memory."""
    lines = list(islice(read_lines(str(file)), MAX_LISTED + 1))
    if len(lines) > MAX_LISTED:
        raise ConfigError(f"{flag} {file}: more than {MAX_LISTED:,} lines; split it")
    return lines


def _words_of(file: Path | None) -> list[str]:
    lines = [] if file is None else _few_lines(file, "--ban-file")
    return [word for line in lines if (word := line.strip())]


def _note_what_may_surprise(job: SamplingJob, lm: LanguageModel) -> None:
    if job.settings.min_length >= LONG and job.settings.sentences == 1:
        sentences = job.settings.min_length // 15
        print(f"note: for longer text, --sentences {sentences} draws a passage", file=sys.stderr)
    for word in job.ban:
        if not lm.spelled(word):
            print(f"note: {word!r} is not in the vocabulary; it is never drawn anyway", file=sys.stderr)
    _note_unknown(lm, job.prefixes)


def _note_unknown(lm: LanguageModel, prefixes: Sequence[str]) -> None:
    """One line for the words of all prefixes that the model does not know, and one on apostrophes."""
    unknown: dict[str, None] = {}
    advice: str | None = None
    for prefix in prefixes:
        found = lm.unknown_words(lm.pipeline.tokenize(prefix))
        unknown |= dict.fromkeys(found)
        advice = advice or (apostrophe_advice(lm, prefix) if found else None)
    if unknown:
        more = f" and {len(unknown) - SHOWN_WORDS:,} more" if len(unknown) > SHOWN_WORDS else ""
        words = printable(", ".join(word[:40] for word in list(unknown)[:SHOWN_WORDS]))
        print(f"note: unknown in the prefix, so read as UNK: {words}{more}", file=sys.stderr)
    if advice:
        print(advice, file=sys.stderr)


def _as_json(sentence: SampledSentence) -> str:
    novelty = (
        {} if sentence.longest_copied_run is None else {"longest_copied_run": sentence.longest_copied_run}
    )
    return json.dumps(
        {
            "text": sentence.text,
            "words": sentence.words,
            "log_prob": finite(sentence.log_prob),
            "log_prob_without_unk": finite(sentence.log_prob_without_unk),
            "unk_mass": finite(sentence.unk_mass),
            "finished": sentence.finished,
            "filled": sentence.filled,
            **novelty,
        },
        ensure_ascii=False,
        allow_nan=False,
    )


FORMATS = {
    "text": lambda sentence: printable(sentence.text),
    "tokens": lambda sentence: printable(" ".join(sentence.words)),
    "jsonl": _as_json,
}


@click.command("sample")
@model_argument
@click.option(
    "-n",
    "count",
    type=click.IntRange(min=0),
    help=f"How many.  [default: {DEFAULT_COUNT}; {DEFAULT_PASSAGES} with --sentences]",
)
@click.option("--prefix", default="", help="Text that every sentence begins with.")
@settings_options(SamplingSettings)
@click.option("--prefixes", type=click.Path(path_type=Path), help="A file of prefixes; draws -n for each.")
@click.option("--include", multiple=True, metavar="WORD", help="Only sentences with this word. Repeatable.")
@click.option("--ban", multiple=True, metavar="WORD", help="Never draw this word. Repeatable.")
@click.option("--ban-file", type=click.Path(path_type=Path), help="A file of words to ban, one per line.")
@click.option(
    "--max-overlap",
    type=click.IntRange(1, MAX_OVERLAP),
    metavar="N",
    help="Redraw sentences that copy more than N words in a row from the training text.",
)
@click.option(
    "--novelty",
    is_flag=True,
    help=f"jsonl: add the longest run of words copied from the training text, up to {MAX_OVERLAP + 1}.",
)
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    help="Training corpus, for --max-overlap, --novelty and copy-rare.  [default: the run's]",
)
@click.option(
    "--beam",
    type=click.IntRange(1, MAX_BEAM),
    metavar="K",
    help="The K likeliest sentences by beam search; nothing is drawn.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, MAX_SEED),
    help="Same seed, same sentences; a larger -n only adds to them.  [default: random]",
)
@click.option(
    "--format",
    "format_",
    type=Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="text: prose. tokens: words separated by spaces. jsonl: with ln p of what follows a prefix.",
)
@network_only_option
@device_option
@threads_option
def command(
    model: Path,
    count: int | None,
    prefix: str,
    prefixes: Path | None,
    include: tuple[str, ...],
    ban: tuple[str, ...],
    ban_file: Path | None,
    max_overlap: int | None,
    novelty: bool,
    corpus: Path | None,
    beam: int | None,
    seed: int | None,
    format_: str,
    network_only: bool,
    device: str,
    threads: int | None,
    **settings: Any,
) -> None:
    """Draw sentences from MODEL, a run directory or a .safetensors file.

    With n-grams beside its network, a model writes more fluently, but sometimes copies a short training
    sentence whole: --max-overlap 4 limits that, --network-only avoids it.
    """
    if prefix and prefixes:
        raise ConfigError("--prefix and --prefixes cannot be combined")
    if novelty and format_ != "jsonl":
        raise ConfigError("--novelty needs --format jsonl")
    job = SamplingJob(
        settings=SamplingSettings(**given(settings)),
        given=given(settings),
        prefixes=[prefix] if prefixes is None else _few_lines(prefixes, "--prefixes"),
        count=count,
        include=include,
        ban=[*ban, *_words_of(ban_file)],
        most_copied=max_overlap,
        novelty=novelty,
        beam=beam,
        seed=seed,
    )
    prepare_cpu(threads)
    lm = load(model, device, network_only=network_only)
    _note_what_may_surprise(job, lm)
    if seed is None and not beam:
        job = replace(job, seed=randbelow(MAX_SEED + 1))
        print(f"seed {job.seed}; --seed {job.seed} draws the same again", file=sys.stderr)
    work = job.start(lm, model, corpus)
    total = len(job.prefixes) * job.per_prefix
    for sentence in counted(work.sentences(), "sampling", unit="sentences", total=total, answered=True):
        print(FORMATS[format_](sentence))
    if work.filled:
        print(f"note: {work.filled:,} unknown words were replaced by rare words of the text", file=sys.stderr)
    if work.drawn > work.kept or (work.drawn and (include or max_overlap)):
        share = work.kept / work.drawn
        print(f"kept {work.kept:,} of {work.drawn:,} sentences drawn ({share:.1%})", file=sys.stderr)
