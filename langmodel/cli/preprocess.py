"""`langmodel preprocess`: raw text -> corpus directory."""

import multiprocessing
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from langmodel.cli.options import Choice, given, reading_of, reading_options, setting
from langmodel.cores import usable_cores
from langmodel.display.bars import progress_bar
from langmodel.display.narration import Narrator
from langmodel.display.reports import corpus_report
from langmodel.errors import ConfigError
from langmodel.text.casing import CASES
from langmodel.text.corpus import Corpus, is_corpus, open_corpus
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.sentences import SENTENCES
from langmodel.text.tokenizers import TOKENIZERS
from langmodel.text.vocabulary import Vocabulary

LARGE_SOURCE_BYTES = 4 * 2**20
"""Smaller files are done before a process pool has started."""


@contextmanager
def _executor(workers: int) -> Iterator[Executor | None]:
    """A pool of processes, or none for one worker."""
    if workers == 1:
        yield None
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn, initializer=_leave_interrupts_to_parent) as pool:
        yield pool


def _leave_interrupts_to_parent() -> None:
    """Ctrl-C reaches every process of a terminal."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _worth_sharing_out(sources: tuple[str, ...]) -> bool:
    sizes = [Path(source).stat().st_size for source in sources if Path(source).is_file()]
    return len(sizes) < len(sources) or sum(sizes) > LARGE_SOURCE_BYTES


DECIDED_BY_VOCABULARY = ("vocabulary_size", "min_count", "tokenizer", "sentences", "case", "unk_token")


def words_of(path: Path) -> tuple[Vocabulary, Pipeline]:
    """The vocabulary and pipeline of a corpus, a run or a model."""
    if is_corpus(path):
        corpus = open_corpus(path)
        return corpus.vocabulary, corpus.pipeline
    from langmodel.storage.model_file import load_model, model_path  # torch, which few runs need

    saved = load_model(model_path(path))
    return saved.vocabulary, saved.pipeline


def _say_note(note: str) -> None:
    print(note if note.startswith("WARNING") else f"note: {note}", file=sys.stderr)


def run_preprocess(
    sources: tuple[str, ...],
    output: Path,
    config: PreprocessConfig,
    workers: int,
    **files: Any,
) -> Corpus:
    """Preprocess with a bar on a terminal; the corpus that results."""
    notes: list[str] = []
    with progress_bar("preprocessing") as bar, _executor(workers) as executor:
        corpus = preprocess(
            sources, output, config, executor=executor, on_tokens=bar.update, on_note=notes.append, **files
        )
    for note in notes:
        _say_note(note)
    return corpus


@click.command("preprocess")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Corpus directory.")
@setting(PreprocessConfig, "--vocabulary-size", "Rows, the three special tokens included.")
@setting(
    PreprocessConfig,
    "--min-count",
    "Rarer words become UNK.",
    type=int,
    shown_default="2 where otherwise no word would, else 1",
)
@setting(
    PreprocessConfig,
    "--tokenizer",
    "What splits a sentence. module:function: a function of your own; set LANGMODEL_TOKENIZER to it.",
    metavar=f"{'|'.join(TOKENIZERS)}|module:function",
)
@setting(PreprocessConfig, "--sentences", "What splits a text.", type=Choice(list(SENTENCES)))
@setting(
    PreprocessConfig,
    "--case",
    "lower: fold it. keep: words as written. true: only the first word of a sentence changes, to how it is "
    "mostly written elsewhere.",
    type=Choice(CASES),
    shown_default="true with the tokenizers nltk and toktok, else keep",
)
@click.option("--lowercase/--no-lowercase", default=None, help="Short for --case lower, --case keep.")
@setting(PreprocessConfig, "--unk-token", "Text that means unknown, as in <unk>.", type=str)
@click.option("--valid", metavar="FILE", help="Validation text; without it a fraction is held out.")
@click.option("--test", metavar="FILE", help="Test text; without it a fraction is held out.")
@setting(PreprocessConfig, "--valid-fraction", "Held out for validation.")
@setting(PreprocessConfig, "--test-fraction", "Held out for testing.")
@setting(
    PreprocessConfig,
    "--split-by",
    "What is held out whole; auto: documents of a collection, lines of a file.",
    type=Choice(["auto", "document", "line"]),
)
@click.option(
    "--vocabulary-from",
    metavar="MODEL|CORPUS_DIR",
    type=click.Path(path_type=Path),
    help="Take words, tokenizer, sentences and case from there, for train --from.",
)
@reading_options
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: all usable cores]")
@setting(PreprocessConfig, "--seed", "Decides what is held out.")
def command(
    sources: tuple[str, ...],
    output: Path,
    valid: str | None,
    test: str | None,
    lowercase: bool | None,
    vocabulary_from: Path | None,
    workers: int | None,
    column: str | None,
    field: str | None,
    encoding: str | None,
    clean: str | None,
    **settings: Any,
) -> None:
    """Turn raw text into a vocabulary and encoded train, valid and test splits.

    A SOURCE is a text file (plain, .gz, .bz2 or .xz; .csv, .tsv and .jsonl by column or field), a folder,
    .zip or .tar of such files, `-` for standard input, nltk:NAME for an installed NLTK corpus, or pydoc: for
    the English documentation inside this Python (pydoc:numpy,torch adds installed packages). A corpus that is
    in the output directory already is replaced.
    """
    if workers is None:
        workers = usable_cores() if _worth_sharing_out(sources) else 1
    if lowercase is not None:
        if "case" in given(settings):
            raise ConfigError("--case and --lowercase exclude each other")
        settings["case"] = "lower" if lowercase else "keep"
    if vocabulary_from is not None:
        decided = sorted({*given(settings)} & set(DECIDED_BY_VOCABULARY))
        if decided:
            raise ConfigError(f"--{decided[0].replace('_', '-')} comes from --vocabulary-from; leave one out")
    config = PreprocessConfig(**given(settings))
    replaces = is_corpus(output)
    corpus = run_preprocess(
        sources,
        output,
        config,
        workers,
        valid=valid,
        test=test,
        reading=reading_of(column, field, encoding, clean),
        vocabulary_from=None if vocabulary_from is None else words_of(vocabulary_from),
    )
    Narrator().tell(corpus_report(corpus))
    if replaces:
        print("note: it took the place of an older corpus", file=sys.stderr)
