"""`langmodel sample`: new sentences, one per line."""

import json
import sys
from collections.abc import Iterator, Sequence
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
from langmodel.formats.score_tables import finite
from langmodel.inference.drawing import SamplingRequest
from langmodel.inference.filters import FILTERS
from langmodel.inference.language_model import LanguageModel, load
from langmodel.inference.results import SampledSentence
from langmodel.inference.settings import MAX_SEED, SamplingSettings
from langmodel.network.device import prepare_cpu
from langmodel.ngrams.copied_runs import CopiedRuns
from langmodel.runs.run_corpus import corpus_of_run, open_matching_corpus
from langmodel.text.printable import printable
from langmodel.text.sources import read_lines

DEFAULT_COUNT, DEFAULT_PASSAGES = 10, 1

LONG = 40
"""Words of a single sentence beyond which a person may want a passage instead."""

SHOWN_WORDS = 10
"""Unknown ones that a note names."""

MAX_LISTED = 100_000
"""Prefixes, or banned words, in a file."""

MAX_OVERLAP, MAX_BEAM = 20, 1_000


def _few_lines(file: Path, flag: str) -> list[str]:
    """The lines of a list. Raises ConfigError for more than anybody means, before they take memory."""
    lines = list(islice(read_lines(str(file)), MAX_LISTED + 1))
    if len(lines) > MAX_LISTED:
        raise ConfigError(f"{flag} {file}: more than {MAX_LISTED:,} lines; split it")
    return lines


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
    novelty = {} if sentence.longest_copied_run is None else {
        "longest_copied_run": sentence.longest_copied_run
    }  # fmt: skip
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
@click.option("--prefix", default="", help="How every sentence begins.")
@settings_options(SamplingSettings)
@click.option("--prefixes", type=click.Path(path_type=Path), help="A file of prefixes; -n for each.")
@click.option("--include", multiple=True, metavar="WORD", help="Only sentences with it. Repeatable.")
@click.option("--ban", multiple=True, metavar="WORD", help="Never draw it. Repeatable.")
@click.option("--ban-file", type=click.Path(path_type=Path), help="A file of such words.")
@click.option(
    "--max-overlap", type=click.IntRange(1, MAX_OVERLAP), metavar="N",
    help="Draw again what copies more than N words in a row from the training text.",
)  # fmt: skip
@click.option(
    "--novelty", is_flag=True,
    help=f"jsonl: the longest run of words copied from the training text; counts to {MAX_OVERLAP + 1}.",
)  # fmt: skip
@click.option(
    "--corpus", type=click.Path(path_type=Path),
    help="For --max-overlap, --novelty and copy-rare. [default: the run's]",
)  # fmt: skip
@click.option(
    "--beam", type=click.IntRange(1, MAX_BEAM), metavar="K",
    help="The K likeliest sentences by beam search; nothing is drawn.",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(0, MAX_SEED),
    help="Same seed, same sentences; a larger -n only adds to them.  [default: random]",
)  # fmt: skip
@click.option(
    "--format", "format_", type=Choice(list(FORMATS)), default="text", show_default=True,
    help="text: put together as prose. tokens: words with blanks. jsonl: with ln p of what follows a prefix.",
)  # fmt: skip
@network_only_option
@device_option
@threads_option
def command(
    model: Path, count: int | None, prefix: str, prefixes: Path | None, include: tuple[str, ...],
    ban: tuple[str, ...], ban_file: Path | None, max_overlap: int | None, novelty: bool,
    corpus: Path | None,
    beam: int | None, seed: int | None, format_: str, network_only: bool, device: str, threads: int | None,
    **settings: Any,
) -> None:  # fmt: skip
    """Draw sentences from MODEL, a run directory or a .safetensors file.

    With n-grams beside its network, a model writes more fluently, and now and then copies a short sentence of
    its text whole: --max-overlap 4 limits that, --network-only avoids it.
    """
    wanted = SamplingSettings(**given(settings))
    if prefix and prefixes:
        raise ConfigError("--prefix and --prefixes exclude each other")
    drawing = FILTERS.keys() & given(settings)
    if novelty and format_ != "jsonl":
        raise ConfigError("--novelty is for --format jsonl; add it")
    again = include or max_overlap or novelty or wanted.unk in ("resample-sentence", "copy-rare")
    if beam and (drawing or again or seed is not None):
        raise ConfigError("--beam draws nothing: it goes with prefixes, --ban and lengths only")
    if beam and count is not None:
        raise ConfigError(f"--beam {beam} says how many sentences there are; leave out -n")
    if wanted.length and {"min_length", "max_length"} & set(given(settings)):
        raise ConfigError("--length is exact; leave out --min-length and --max-length")
    if beam and wanted.sentences > 1:
        raise ConfigError("--beam finds single sentences; leave out --sentences")
    if wanted.min_length >= LONG and wanted.sentences == 1:
        print(
            f"note: for longer text, --sentences {wanted.min_length // 15} draws a passage", file=sys.stderr
        )
    count = (DEFAULT_COUNT if wanted.sentences == 1 else DEFAULT_PASSAGES) if count is None else count
    beginnings = [prefix] if prefixes is None else _few_lines(prefixes, "--prefixes")
    banned = (
        [*ban, *(word for line in _few_lines(ban_file, "--ban-file") if (word := line.strip()))]
        if ban_file
        else ban
    )
    if contradictory := sorted(set(include) & set(banned)):
        raise ConfigError(f"{contradictory[0]!r} is both to be included and banned; choose one")
    prepare_cpu(threads)
    lm = load(model, device, network_only=network_only)
    for word in banned:
        if not lm.spelled(word):
            print(f"note: {word!r} is not in the vocabulary; it is never drawn anyway", file=sys.stderr)
    _note_unknown(lm, beginnings)
    copies, rare_words = None, None
    if max_overlap is not None or novelty or wanted.unk == "copy-rare":
        text = open_matching_corpus(lm, corpus_of_run(model) if corpus is None else corpus)
        if max_overlap is not None or novelty:
            longest = MAX_OVERLAP if max_overlap is None or novelty else max_overlap
            copies = CopiedRuns(text.split("train"), len(lm.vocabulary), longest + 1)
        if wanted.unk == "copy-rare":
            rare_words = text.rare_words()
    if seed is None and not beam:
        seed = randbelow(MAX_SEED + 1)
        print(f"seed {seed}; --seed {seed} draws the same again", file=sys.stderr)
    kept = tries = filled = 0

    def sentences() -> Iterator[SampledSentence]:
        nonlocal kept, tries
        for number, beginning in enumerate(beginnings):
            if beam:
                yield from lm.likeliest(beam, prefix=beginning, settings=wanted, ban=banned)
                continue
            assert seed is not None
            before = tries
            request = SamplingRequest(
                prefix=beginning, settings=wanted, ban=banned, include=include, copies=copies,
                most_copied=max_overlap, rare_words=rare_words,
            )  # fmt: skip
            for sentence, drawn in lm.draw(count, request, seed=(seed + number) % (MAX_SEED + 1)):
                kept, tries = kept + 1, before + drawn
                yield sentence

    total = len(beginnings) * (beam or count)
    for sentence in counted(sentences(), "sampling", unit="sentences", total=total, answered=True):
        print(FORMATS[format_](sentence))
        filled += len(sentence.filled)
    if filled:
        print(f"note: {filled:,} words are not the model's but rare words of the text", file=sys.stderr)
    if tries > kept or (tries and (include or max_overlap)):
        print(f"kept {kept:,} of {tries:,} sentences drawn ({kept / tries:.1%})", file=sys.stderr)
