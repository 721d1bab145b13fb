"""`langmodel preprocess`: raw text -> corpus directory."""

from pathlib import Path
from typing import Any

import click

from langmodel.cli.options import Choice, given, reading_of, reading_options, setting
from langmodel.display.narration import Narrator
from langmodel.display.reports import corpus_report
from langmodel.runs.preparing import checked_settings, run_preprocess
from langmodel.text.casing import CASES
from langmodel.text.paragraphs import SENTENCES
from langmodel.text.preprocess_config import SPLIT_BY, PreprocessConfig
from langmodel.text.tokenizers import TOKENIZERS


@click.command("preprocess")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Corpus directory.")
@setting(PreprocessConfig, "--vocabulary-size", "Rows, including the three special tokens.")
@setting(
    PreprocessConfig,
    "--min-count",
    "Rarer words become UNK.",
    type=int,
    shown_default="2 if all words would fit, else 1",
)
@setting(
    PreprocessConfig,
    "--tokenizer",
    "What splits a sentence. module:function: your own function; set LANGMODEL_TOKENIZER to it too.",
    metavar=f"{'|'.join(TOKENIZERS)}|module:function",
)
@setting(PreprocessConfig, "--sentences", "What splits a text into sentences.", type=Choice(list(SENTENCES)))
@setting(
    PreprocessConfig,
    "--case",
    "lower: lower-case all. keep: words as written. true: only the first word of a sentence changes, to its "
    "usual spelling elsewhere.",
    type=Choice(CASES),
    shown_default="true with the tokenizers nltk and toktok, else keep",
)
@click.option("--lowercase/--no-lowercase", default=None, help="Short for --case lower, --case keep.")
@setting(PreprocessConfig, "--unk-token", "Text that stands for an unknown word, such as <unk>.", type=str)
@click.option("--valid", metavar="FILE", help="Validation text; without it a fraction is held out.")
@click.option("--test", metavar="FILE", help="Test text; without it a fraction is held out.")
@setting(PreprocessConfig, "--valid-fraction", "Held out for validation.")
@setting(PreprocessConfig, "--test-fraction", "Held out for testing.")
@setting(
    PreprocessConfig,
    "--split-by",
    "Unit that is held out whole; auto: documents of a collection, lines of a file.",
    type=Choice(SPLIT_BY),
)
@click.option(
    "--vocabulary-from",
    metavar="MODEL|CORPUS_DIR",
    type=click.Path(path_type=Path),
    help="Reuse its vocabulary, tokenizer, sentence splitter and case, for train --from.",
)
@reading_options
@click.option("--workers", type=click.IntRange(min=1), help="Worker processes.  [default: all usable cores]")
@click.option(
    "--cluster",
    metavar="tcp://HOST:PORT|local:N",
    help="Share the work among a Dask scheduler's workers or N local ones, all of which write beside the "
    "output; the bytes are the same.",
)
@click.option(
    "--resume", is_flag=True, help="Go on from what a stopped preprocess of the same text finished."
)
@setting(PreprocessConfig, "--seed", "Decides what is held out.")
def command(
    sources: tuple[str, ...],
    output: Path,
    valid: str | None,
    test: str | None,
    lowercase: bool | None,
    vocabulary_from: Path | None,
    workers: int | None,
    cluster: str | None,
    resume: bool,
    column: str | None,
    field: str | None,
    encoding: str | None,
    clean: str | None,
    **settings: Any,
) -> None:
    """Turn raw text into a vocabulary and encoded train, valid and test splits.

    A SOURCE is a text file (plain, .gz, .bz2 or .xz; .csv, .tsv and .jsonl by column or field), a folder,
    .zip or .tar of such files, `-` for standard input, nltk:NAME for an installed NLTK corpus, or pydoc: for
    the English documentation that comes with Python (pydoc:numpy,torch adds installed packages). An existing
    corpus in the output directory is replaced.
    """
    corpus = run_preprocess(
        sources,
        output,
        checked_settings(given(settings), lowercase, vocabulary_from is not None),
        reading_of(column, field, encoding, clean),
        Narrator(),
        valid=valid,
        test=test,
        vocabulary_from=vocabulary_from,
        workers=workers,
        cluster=cluster,
        resume=resume,
    )
    Narrator().tell(corpus_report(corpus))
