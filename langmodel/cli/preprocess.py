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

from langmodel.cli.bar import progress_bar
from langmodel.cli.options import given, setting
from langmodel.cli.report import corpus_report, tell
from langmodel.cores import usable_cores
from langmodel.text.corpus import Corpus, is_corpus
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.sentences import SENTENCES
from langmodel.text.sources import Field
from langmodel.text.tokenizers import TOKENIZERS

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


def run_preprocess(
    sources: tuple[str, ...],
    output: Path,
    config: PreprocessConfig,
    workers: int,
    **files: Any,
) -> Corpus:
    """Preprocess with a bar on a terminal; the corpus that results."""
    with progress_bar("preprocessing") as bar, _executor(workers) as executor:
        return preprocess(sources, output, config, executor=executor, on_tokens=bar.update, **files)


@click.command("preprocess")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Corpus directory.")
@setting(PreprocessConfig, "--vocabulary-size", "Rows, the three special tokens included.")
@setting(PreprocessConfig, "--min-count", "Rarer words become UNK.")
@setting(
    PreprocessConfig,
    "--tokenizer",
    "What splits a sentence. module:function: a function of your own; set LANGMODEL_TOKENIZER to it.",
    metavar=f"{'|'.join(TOKENIZERS)}|module:function",
)
@setting(PreprocessConfig, "--sentences", "What splits a text.", type=click.Choice(list(SENTENCES)))
@setting(PreprocessConfig, "--lowercase/--no-lowercase", "Fold case.")
@setting(PreprocessConfig, "--unk-token", "Text that means unknown, as in <unk>.", type=str)
@click.option("--valid", metavar="FILE", help="Validation text; without it a fraction is held out.")
@click.option("--test", metavar="FILE", help="Test text; without it a fraction is held out.")
@setting(PreprocessConfig, "--valid-fraction", "Held out for validation.")
@setting(PreprocessConfig, "--test-fraction", "Held out for testing.")
@setting(
    PreprocessConfig,
    "--split-by",
    "What is held out whole; auto: documents of a collection, lines of a file.",
    type=click.Choice(["auto", "document", "line"]),
)
@click.option("--column", help="Column of a .csv or .tsv that holds the text.  [default: text]")
@click.option("--field", help="Field of a .jsonl that holds the text.  [default: text]")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: all usable cores]")
@setting(PreprocessConfig, "--seed", "Decides what is held out.")
def command(
    sources: tuple[str, ...],
    output: Path,
    valid: str | None,
    test: str | None,
    column: str | None,
    field: str | None,
    workers: int | None,
    **settings: Any,
) -> None:
    """Turn raw text into a vocabulary and encoded train, valid and test splits.

    A SOURCE is a UTF-8 file (plain, .gz, .bz2 or .xz; .csv, .tsv and .jsonl by column or field), `-`
    for standard input, nltk:NAME for an installed NLTK corpus, or pydoc: for the English
    documentation inside this Python (pydoc:numpy,torch adds installed packages). A corpus that is in the
    output directory already is replaced.
    """
    if workers is None:
        workers = usable_cores() if _worth_sharing_out(sources) else 1
    config = PreprocessConfig(**given(settings))
    replaces = is_corpus(output)
    corpus = run_preprocess(
        sources, output, config, workers, valid=valid, test=test, field=Field(column=column, field=field)
    )
    tell(corpus_report(corpus))
    if replaces:
        print("note: it took the place of an older corpus", file=sys.stderr)
