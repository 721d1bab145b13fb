"""Raw text -> corpus directory: what is held out, and which vocabulary."""

import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

from langmodel.errors import ConfigError, CorpusError, LangModelError
from langmodel.text.choices import Chosen, choose_words
from langmodel.text.corpus import Corpus, open_corpus, write_description
from langmodel.text.corpus_directory import appearing_whole
from langmodel.text.corpus_files import RARE_WORDS, SPLITS
from langmodel.text.passes import Passage, SplitBuilder, first_pass, second_pass
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess_config import PreprocessConfig
from langmodel.text.sentences import PUNKT_TRAINING_CHARACTERS, learn_punkt
from langmodel.text.sources import Reading, splits_by_document
from langmodel.text.splitting import ENOUGH_UNITS, HeldOut
from langmodel.text.units import Unit, held_out_units, passages_of
from langmodel.text.vocabulary import Vocabulary, build_vocabulary
from langmodel.text.watching import TextWatch

__all__ = ["PreprocessConfig", "preprocess"]


def preprocess(
    sources: Sequence[str],
    output: Path,
    config: PreprocessConfig = PreprocessConfig(),
    *,
    valid: str | None = None,
    test: str | None = None,
    reading: Reading = Reading(),
    vocabulary_from: tuple[Vocabulary, Pipeline] | None = None,
    executor: Executor | None = None,
    on_tokens: Callable[[int], None] = lambda tokens: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Corpus:
    """Encode `sources` into the corpus directory `output`, whole or not at all.

    `valid` and `test` name sources of their own; without them the config's fraction is held out. With
    `vocabulary_from`, words and pipeline are those of another corpus or model, and the config's are not
    looked at. Work goes through `executor`, or is done here without one; the bytes written are the same.
    `on_tokens` is called with the number of words of every batch, `on_note` with what a person should know.
    Raises CorpusError for text that cannot be used.
    """
    if [*sources, valid, test].count("-") > 1:
        raise ConfigError("standard input (-) can be read only once; name a file for the others")
    with _clear_errors(output), appearing_whole(output) as folder:
        reading = replace(reading, squeezed=True)
        watch = TextWatch(reading)
        dealer: HeldOut[Unit] = HeldOut(
            0.0 if valid else config.valid_fraction,
            0.0 if test else config.test_fraction,
            seed=config.seed,
        )
        sentences = config.sentences if vocabulary_from is None else vocabulary_from[1].sentences
        by_document = config.split_by == "document" or (
            config.split_by == "auto" and splits_by_document(sources)
        )
        passages: Iterator[Passage] = chain(
            held_out_units(sources, reading, sentences, dealer, watch, by_document=by_document),
            *(
                passages_of(named, name, reading, sentences)
                for name, named in (("valid", valid), ("test", test))
                if named is not None
            ),
        )
        if vocabulary_from is None:
            pipeline, passages = _settle_pipeline(config, passages)
        else:
            pipeline = vocabulary_from[1]
        builders = {name: SplitBuilder(folder / f"{name}.tmp") for name in SPLITS}
        types = first_pass(pipeline, passages, builders, executor, on_tokens)
        _refuse_empty(sources, {"valid": valid, "test": test}, builders)
        chosen = choose_words(types, builders["train"], pipeline, config, vocabulary_from)
        statistics = {
            name: second_pass(builder, folder / f"{name}.npy", types, chosen.vocabulary, chosen.forms)
            for name, builder in builders.items()
        }
        rare = {word: n for word, n in chosen.counts.items() if word not in chosen.vocabulary}
        (folder / RARE_WORDS).write_text(build_vocabulary(rare).to_json(), encoding="utf-8")
        provenance = {
            "sources": list(sources),
            "valid": valid,
            "test": test,
            "reading": asdict(reading),
            "settings": asdict(config),
            "chosen": {"case": chosen.pipeline.case, "min_count": chosen.min_count},
            "split_by": "document" if by_document else "line",
            "units": dealer.units,
            "versions": _versions(),
        }
        write_description(
            Corpus(folder, chosen.vocabulary, chosen.pipeline, statistics, len(chosen.counts), provenance)
        )
    corpus = open_corpus(output)
    for note in [*watch.notes(pipeline), *_notes(corpus, config, chosen, dealer.units, valid, test)]:
        on_note(note)
    return corpus


def _notes(
    corpus: Corpus, config: PreprocessConfig, chosen: Chosen, units: int, valid: str | None, test: str | None
) -> Iterator[str]:
    """What was decided for the user, and what stands in the way of a good model."""
    if config.min_count is None and chosen.min_count > 1:
        yield (
            f"words seen once become UNK: all {corpus.types:,} words would fit, so UNK would not be learnt; "
            "--min-count 1 keeps them"
        )
    asked = (0 if valid else config.valid_fraction) + (0 if test else config.test_fraction)
    if asked and units < ENOUGH_UNITS:
        yield (
            f"{units} passages or documents are too few to hold out {asked:.0%} of them evenly; name texts "
            "with --valid and --test"
        )
    if (tokens := corpus.statistics["train"].tokens) < LITTLE_TEXT and config.tokenizer != "character":
        yield (
            f"{tokens:,} words are not much to learn from; below {LITTLE_TEXT:,}, expect phrases at best. "
            "Add text or use a model trained on more: --vocabulary-from MODEL here, then train --from MODEL"
        )


LITTLE_TEXT = 20_000
"""Words below which a model from scratch does not write sentences."""


def _refuse_empty(
    sources: Sequence[str], named: dict[str, str | None], builders: dict[str, SplitBuilder]
) -> None:
    if not builders["train"].sentences:
        raise CorpusError(
            f"{', '.join(sources)}: no words to train on; the corpus is empty"
            + ("" if not any(b.sentences for b in builders.values()) else " except for its held-out part")
        )
    for name, source in named.items():
        if source is not None and not builders[name].sentences:
            raise CorpusError(f"{source}: no words for the {name} split; leave --{name} out, or give another")


@contextmanager
def _clear_errors(output: Path) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:  # an OSError, but NLTK's
        raise CorpusError(
            f"a passage is too much for NLTK ({error}); break long lines, or use --tokenizer whitespace "
            "and --sentences line"
        ) from None
    except BrokenExecutor:
        raise LangModelError("a worker process died, probably out of memory; lower --workers") from None
    except OSError as error:
        raise LangModelError(f"{output}: cannot be written ({error.strerror or error})") from None


def _settle_pipeline(
    config: PreprocessConfig, passages: Iterator[Passage]
) -> tuple[Pipeline, Iterator[Passage]]:
    """Punkt's parameters have to be known before the first sentence is split."""
    if config.sentences != "punkt":
        return config.pipeline(punkt=None), passages
    beginning: list[Passage] = []
    characters = 0
    for passage in passages:
        beginning.append(passage)
        characters += len(passage.text)
        if characters > PUNKT_TRAINING_CHARACTERS:
            break
    punkt = learn_punkt([passage.text for passage in beginning])
    return config.pipeline(punkt), chain(beginning, passages)


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("langmodel", "nltk"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions
