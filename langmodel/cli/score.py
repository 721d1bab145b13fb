"""`langmodel score`: log-probability of each input line."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice, tee
from pathlib import Path

import click

from langmodel.cli.advice import ApostropheAdvice, UnknownWords
from langmodel.cli.options import (
    MAX_THREADS,
    Choice,
    device_option,
    model_argument,
    network_only_option,
    reading_of,
    reading_options,
    threads_option,
    warned_if_wrapped,
)
from langmodel.cores import usable_cores
from langmodel.display.bars import counted
from langmodel.errors import ConfigError
from langmodel.formats.score_page import colored_line
from langmodel.formats.score_style import LN_OF_BASE, Style
from langmodel.formats.score_tables import FORMATS
from langmodel.inference.language_model import load
from langmodel.inference.parallel import score_in_processes
from langmodel.inference.results import SentenceScore, TextPlace
from langmodel.network.architecture import CONTEXTS
from langmodel.network.device import prepare_cpu
from langmodel.text.decoding import ROW_BREAKS
from langmodel.text.paragraphs import SENTENCES
from langmodel.text.reading import read_sentences
from langmodel.text.sources import read_documents


@click.command("score")
@model_argument
@click.argument("file", required=False, default="-")
@click.option(
    "--format",
    "format_",
    type=Choice(list(FORMATS)),
    default="tsv",
    show_default=True,
    help="; ".join(f"{name}: {format.help}" for name, format in FORMATS.items()) + ".",
)
@click.option(
    "--base",
    type=Choice(list(LN_OF_BASE)),
    help="Base of logarithms, in tsv and jsonl.  [default: e]",
)
@click.option("--per-word", is_flag=True, help="tsv: a row for every word and for END (</s>).")
@click.option(
    "--words",
    "written",
    is_flag=True,
    help="tsv: a row for every whitespace-separated word, its parts summed, for reading times.",
)
@click.option("--mask-unknown", is_flag=True, help="lm-zoo, neural-complexity: show unknown words as <unk>.")
@click.option(
    "--color",
    is_flag=True,
    help="Only the words, coloured by surprisal on a terminal; plain elsewhere, or if NO_COLOR is set.",
)
@click.option("--header/--no-header", default=True, help="tsv: whether there is a header row.")
@click.option(
    "--srilm-debug",
    type=click.IntRange(0, 2),
    default=0,
    show_default=True,
    help="srilm: 0 the file's summary, 1 each sentence's, 2 each word's.",
)
@click.option("--srilm-unk", is_flag=True, help="srilm: as with -unk, <unk> is a word like any other.")
@click.option(
    "--context",
    type=Choice(CONTEXTS),
    default="sentence",
    show_default=True,
    help="sentence: each line from the zero state. document: the state is carried from line to line.",
)
@click.option(
    "--sentences",
    type=Choice(SENTENCES),
    default="line",
    show_default=True,
    help="line: one row per line. punkt: one row per sentence, with its place in the text (tsv, jsonl).",
)
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_THREADS),
    default=1,
    show_default=True,
    help="Processes that score blocks of lines, each with a share of the cores.",
)
@reading_options
@network_only_option
@device_option
@threads_option
def command(
    model: Path,
    file: str,
    format_: str,
    base: str | None,
    per_word: bool,
    written: bool,
    mask_unknown: bool,
    color: bool,
    header: bool,
    srilm_debug: int,
    srilm_unk: bool,
    context: str,
    sentences: str,
    workers: int,
    column: str | None,
    field: str | None,
    encoding: str | None,
    clean: str | None,
    network_only: bool,
    device: str,
    threads: int | None,
) -> None:
    """Print the log-probability of each line of FILE, or of standard input, under MODEL.

    A line is one sentence; its END is counted, START is not. Blank lines get a row too: P(END | START).
    FILE is anything that `preprocess` takes; in a table, each line of a cell is one.
    """
    for flag, is_given, formats in (
        ("--base", base is not None, ("tsv", "jsonl")),
        ("--per-word", per_word, ("tsv",)),
        ("--words", written, ("tsv",)),
        ("--mask-unknown", mask_unknown, ("lm-zoo", "neural-complexity")),
        ("--no-header", not header, ("tsv",)),
        ("--srilm-debug", srilm_debug > 0, ("srilm",)),
        ("--srilm-unk", srilm_unk, ("srilm",)),
    ):
        if is_given and format_ not in formats:
            raise ConfigError(f"{flag} is for --format {' and '.join(formats)}; leave it out")
    if per_word and written:
        raise ConfigError("--per-word and --words cannot be combined")
    if workers > 1 and (context != "sentence" or device not in ("auto", "cpu")):
        raise ConfigError("--workers is for --context sentence on a CPU; leave it out")
    prepare_cpu(threads)
    lm = load(model, "cpu" if workers > 1 else device, network_only=network_only)
    splits = sentences != "line"
    style = Style(base or "e", per_word, header, file, srilm_debug, srilm_unk, splits, written, mask_unknown)
    chosen = FORMATS[format_]
    reading = reading_of(column, field, encoding, clean)
    lines = (line for document in read_documents(file, reading, ROW_BREAKS) for line in document.lines)
    first = list(islice(lines, 1))  # a file that cannot be read is refused before a header is printed
    read = counted(chain(first, lines), "scoring", answered=True)
    advice = ApostropheAdvice(lm)

    def scored(texts: Iterable[str]) -> Iterator[SentenceScore]:
        detail = chosen.detail(style)
        if workers == 1:
            return lm.score_lines(texts, context, detail=detail)
        return score_in_processes(
            model,
            texts,
            lm.vocabulary,
            workers=workers,
            threads=threads or max(1, usable_cores() // workers),
            detail=detail,
            network_only=network_only,
        )

    if splits:
        texts, placed = tee(read_sentences(read, lm.pipeline, sentences))
        scores = scored(sentence.text for sentence in texts)
        scores = (
            replace(score, place=TextPlace(s.line, s.char_start, s.end_line, s.char_end))
            for score, s in zip(scores, placed, strict=False)
        )
    else:
        scores = scored(warned_if_wrapped(read, sentences))
    if color:
        is_shown = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        for score in advice.watched(scores):
            print(colored_line(score) if is_shown else " ".join(word.word for word in score.words[:-1]))
        return
    unknown = UnknownWords(scores)
    for line in chosen.write(advice.watched(unknown), style):
        print(line)
    if format_ in ("lm-zoo", "neural-complexity") and unknown.count and not mask_unknown:
        print(unknown.note, file=sys.stderr)
