"""`langmodel.preprocess`: raw text -> a corpus, as the command does it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from langmodel.cores import usable_cores
from langmodel.display.narration import Narrator, Silent
from langmodel.errors import ConfigError
from langmodel.processes import process_pool
from langmodel.text.corpus import Corpus, open_corpus
from langmodel.text.corpus_directory import kept_pieces
from langmodel.text.corpus_files import is_corpus
from langmodel.text.decoding import UTF_8
from langmodel.text.encoding import prepare_to_encode
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess import PreprocessConfig
from langmodel.text.preprocess import preprocess as encode
from langmodel.text.sources import Reading
from langmodel.text.vocabulary import Vocabulary

LARGE_SOURCE_BYTES = 4 * 2**20
"""Smaller files are done before a process pool has started."""

DECIDED_BY_VOCABULARY = ("vocabulary_size", "min_count", "tokenizer", "sentences", "case", "unk_token")


def preprocess(
    sources: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    valid: str | Path | None = None,
    test: str | Path | None = None,
    lowercase: bool | None = None,
    vocabulary_from: str | Path | None = None,
    column: str | None = None,
    field: str | None = None,
    encoding: str = UTF_8,
    clean: str | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    cluster: str | None = None,
    resume: bool = False,
    quiet: bool = False,
    **settings: Any,
) -> Corpus:
    """Turn texts into the corpus directory `output`, with the flags of `langmodel preprocess`.

    `settings` are fields of PreprocessConfig (`vocabulary_size=20_000, min_count=2`); `lowercase` is short
    for `case="lower"` or `case="keep"`. `executor` does the work in place of `workers` processes on this
    machine; its workers have to be able to write beside `output`. `cluster` is the address of a Dask
    scheduler, or `local:N`. `resume` goes on from what a stopped call had finished. A corpus already in the
    directory is replaced. Raises ConfigError for unknown settings, CorpusError for text that cannot be used,
    WorkersLost where processes died.
    """
    named = [sources] if isinstance(sources, str | Path) else list(sources)
    narrator = Silent() if quiet else Narrator()
    return run_preprocess(
        [str(source) for source in named],
        Path(output),
        checked_settings(settings, lowercase, vocabulary_from is not None),
        Reading(column=column, field=field, encoding=encoding, clean=clean),
        narrator,
        valid=None if valid is None else str(valid),
        test=None if test is None else str(test),
        vocabulary_from=None if vocabulary_from is None else Path(vocabulary_from),
        workers=workers,
        executor=executor,
        cluster=cluster,
        resume=resume,
    )


def checked_settings(
    settings: dict[str, Any], lowercase: bool | None, has_vocabulary: bool
) -> PreprocessConfig:
    """Raises ConfigError for unknown settings and such that exclude each other."""
    known = {field.name for field in fields(PreprocessConfig)}
    for name in settings:
        if name not in known:
            raise ConfigError(f"preprocess: unknown setting {name!r}; known: {', '.join(sorted(known))}")
        if has_vocabulary and name in DECIDED_BY_VOCABULARY:
            flag = name.replace("_", "-")
            raise ConfigError(f"--{flag} comes from --vocabulary-from; leave one of them out")
    if lowercase is not None and "case" in settings:
        raise ConfigError("--case and --lowercase cannot be combined")
    if lowercase is not None:
        settings = {**settings, "case": "lower" if lowercase else "keep"}
    try:
        return PreprocessConfig(**settings)
    except TypeError as error:  # a value of another type, which only Python can give
        raise ConfigError(f"preprocess: {error}") from None


def run_preprocess(
    sources: Sequence[str],
    output: Path,
    config: PreprocessConfig,
    reading: Reading,
    narrator: Narrator,
    *,
    valid: str | None = None,
    test: str | None = None,
    vocabulary_from: Path | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    cluster: str | None = None,
    resume: bool = False,
) -> Corpus:
    """What `preprocess` and the command have in common."""
    if cluster is not None and (workers is not None or executor is not None):
        raise ConfigError("--cluster has workers of its own; leave out --workers")
    if workers is None:
        workers = usable_cores() if _worth_sharing_out(sources) else 1
    words = None if vocabulary_from is None else words_of(vocabulary_from)
    replaces = is_corpus(output)
    notes: list[str] = []
    with (
        _stops_told(output, narrator),
        narrator.bar("preprocessing") as bar,
        _executor(workers, executor, cluster) as pool,
    ):
        corpus = encode(
            sources,
            output,
            config,
            valid=valid,
            test=test,
            reading=reading,
            vocabulary_from=words,
            executor=pool,
            resume=resume,
            on_tokens=bar.update,
            on_note=notes.append,
        )
    for note in notes:
        narrator.say(note if note.startswith("WARNING") else f"note: {note}")
    if replaces:
        narrator.say("note: it replaced an older corpus")
    return corpus


@contextmanager
def _stops_told(output: Path, narrator: Narrator) -> Iterator[None]:
    """Someone who stops a long preprocess reads how to go on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if kept := kept_pieces(output):
            narrator.say(
                f"note: {kept:,} finished pieces of the text are kept; add --resume to go on from them"
            )
        raise


def words_of(path: Path) -> tuple[Vocabulary, Pipeline]:
    """The vocabulary and pipeline of a corpus, a run or a model."""
    if is_corpus(path):
        corpus = open_corpus(path)
        return corpus.vocabulary, corpus.pipeline
    from langmodel.storage.model_file import load_model, model_path  # torch, which few runs need

    saved = load_model(model_path(path))
    return saved.vocabulary, saved.pipeline


@contextmanager
def _executor(workers: int, given: Executor | None, cluster: str | None) -> Iterator[Executor | None]:
    """The given one, or a cluster's, or a pool of processes, or none for one worker."""
    if cluster is not None:
        from langmodel.text.cluster import cluster as connected

        with connected(cluster) as executor:
            yield executor
        return
    if given is not None or workers == 1:
        yield given
        return
    with process_pool(workers, prepare_to_encode) as pool:
        yield pool


def _worth_sharing_out(sources: Sequence[str]) -> bool:
    sizes = [Path(source).stat().st_size for source in sources if Path(source).is_file()]
    return len(sizes) < len(sources) or sum(sizes) > LARGE_SOURCE_BYTES
