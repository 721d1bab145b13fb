"""Raw text -> corpus directory: what is held out, and which vocabulary."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from pathlib import Path

from langmodel.errors import ConfigError, CorpusError, LangModelError, WorkersLost
from langmodel.processes import shared_out
from langmodel.text.choices import Chosen, choose_words
from langmodel.text.corpus import Corpus, SplitStatistics, open_corpus, write_description
from langmodel.text.corpus_directory import PARTS, appearing_whole, kept_pieces
from langmodel.text.corpus_files import RARE_WORDS, SHARDS, SPLITS
from langmodel.text.counting import Totals, count_types, summed
from langmodel.text.dealing import Dealer, Unit
from langmodel.text.encoding import Encoded, encode_piece, software_versions
from langmodel.text.pieces import Cutter, Piece
from langmodel.text.pipeline import Pipeline
from langmodel.text.placing import Shard, Target, digest_of, new_files, place_all, write_rows
from langmodel.text.preprocess_config import PreprocessConfig
from langmodel.text.sentences import learn_punkt
from langmodel.text.sources import Reading, splits_by_document
from langmodel.text.splitting import ENOUGH_UNITS, HeldOut
from langmodel.text.tokenizers import SPELLED
from langmodel.text.vocabulary import Vocabulary, build_vocabulary
from langmodel.text.watching import TextWatch

__all__ = ["PreprocessConfig", "preprocess"]

ROWS = "rows.json"


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
    resume: bool = False,
    on_tokens: Callable[[int], None] = lambda tokens: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Corpus:
    """Encode `sources` into the corpus directory `output`, whole or not at all.

    `valid` and `test` name sources of their own; without them the config's fraction is held out. With
    `vocabulary_from`, words and pipeline are those of another corpus or model, and the config's are not
    looked at. Work goes through `executor`, whose workers read plain files themselves and have to be able to
    write beside `output`, or is done here without one; the bytes written are the same. With `resume`, pieces
    that a stopped writer of the same corpus finished are not made again. `on_tokens` is called with the
    number of words of every piece, `on_note` with what a person should know. Raises CorpusError for text that
    cannot be used, WorkersLost where processes died.
    """
    if [*sources, valid, test].count("-") > 1:
        raise ConfigError("standard input (-) can be read only once; name a file for the others")
    reading = replace(reading, squeezed=True)
    watch = TextWatch(reading)
    sentences = config.sentences if vocabulary_from is None else vocabulary_from[1].sentences
    cutter = Cutter(reading, sentences, watch, getattr(executor, "can_read", lambda path: True))
    by_document = config.split_by == "document" or (config.split_by == "auto" and splits_by_document(sources))
    held_out: HeldOut[Unit] = HeldOut(
        0.0 if valid else config.valid_fraction, 0.0 if test else config.test_fraction, seed=config.seed
    )
    named = {"valid": valid, "test": test}
    with _clear_errors(output), appearing_whole(output, resume=resume) as folder:
        pieces: Iterator[Piece] = chain(
            cutter.pieces(sources),
            *(cutter.pieces([source], split) for split, source in named.items() if source is not None),
        )
        if vocabulary_from is None:
            pipeline, pieces = _settle_pipeline(config, reading, pieces)
        else:
            pipeline = vocabulary_from[1]
        encode = partial(encode_piece, json.dumps(pipeline.to_dict()), reading, folder / PARTS)
        dealer = Dealer(held_out, by_document)
        dealt = list(dealer.deal(_told(shared_out(executor, encode, pieces), on_tokens, on_note)))
        totals, types = count_types(dealt, executor, folder / PARTS)
        whole = {split: summed(each[split] for each in totals) for split in SPLITS}
        _refuse_empty(sources, named, whole)
        chosen = choose_words(types, pipeline, config, vocabulary_from)
        write_rows(chosen.vocabulary, chosen.forms, folder / PARTS / ROWS)
        targets = new_files(folder, whole, len(chosen.vocabulary))
        shards = place_all(dealt, totals, targets, folder / PARTS / ROWS, executor)
        _write_details(folder, shards, chosen)
        provenance = {
            "sources": list(sources),
            **named,
            "reading": asdict(reading),
            "settings": asdict(config),
            "chosen": {"case": chosen.pipeline.case, "min_count": chosen.min_count},
            "split_by": "document" if by_document else "line",
            "units": held_out.units,
            "versions": software_versions(),
        }
        statistics = {
            split: _statistics(dealer.documents[split], whole[split], targets[split], shards[split])
            for split in SPLITS
        }
        write_description(
            Corpus(folder, chosen.vocabulary, chosen.pipeline, statistics, len(chosen.counts), provenance)
        )
        corpus = open_corpus(folder)  # read back here: another process may put its own in this one's place
    corpus = replace(corpus, path=output)
    for note in [*watch.notes(pipeline), *_notes(corpus, config, chosen, held_out.units, valid, test)]:
        on_note(note)
    return corpus


def _statistics(documents: int, whole: Totals, target: Target, shards: Sequence[Shard]) -> SplitStatistics:
    return SplitStatistics(
        documents=documents,
        sentences=whole.sentences,
        tokens=whole.ids - whole.sentences,
        unknown=sum(shard.unknown for shard in shards),
        longest_sentence=whole.longest_sentence,
        sha256=digest_of(target),
        characters=whole.characters,
    )


def _write_details(folder: Path, shards: Mapping[str, Sequence[Shard]], chosen: Chosen) -> None:
    """What is looked up when something is wrong, or rare words are asked for."""
    rows = {split: [[shard.ids, shard.sha256] for shard in shards[split]] for split in SPLITS}
    (folder / SHARDS).write_text(json.dumps(rows) + "\n", encoding="utf-8")
    rare = {word: n for word, n in chosen.counts.items() if word not in chosen.vocabulary}
    (folder / RARE_WORDS).write_text(build_vocabulary(rare).to_json(), encoding="utf-8")


def _told(
    pieces: Iterator[Encoded], on_tokens: Callable[[int], None], on_note: Callable[[str], None]
) -> Iterator[Encoded]:
    found = 0
    for piece in pieces:
        on_tokens(piece.tokens)
        found += piece.was_there
        yield piece
    if found:
        on_note(f"{found:,} pieces of the text were finished by an earlier run, and are used")


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
    if (tokens := corpus.statistics["train"].tokens) < LITTLE_TEXT and config.tokenizer not in SPELLED:
        yield (
            f"{tokens:,} words are not much to learn from; below {LITTLE_TEXT:,}, expect phrases at best. "
            "Add text or use a model trained on more: --vocabulary-from MODEL here, then train --from MODEL"
        )


LITTLE_TEXT = 20_000
"""Words below which a model from scratch does not write sentences."""


def _refuse_empty(sources: Sequence[str], named: dict[str, str | None], splits: dict[str, Totals]) -> None:
    if not splits["train"].sentences:
        raise CorpusError(
            f"{', '.join(sources)}: no words to train on; the corpus is empty"
            + (
                ""
                if not any(split.sentences for split in splits.values())
                else " except for its held-out part"
            )
        )
    for name, source in named.items():
        if source is not None and not splits[name].sentences:
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
    except WorkersLost as error:
        rest = "; --resume goes on from what is finished" if kept_pieces(output) else ""
        raise WorkersLost(f"{error}{rest}") from None
    except OSError as error:
        raise LangModelError(f"{output}: cannot be written ({error.strerror or error})") from None


def _settle_pipeline(
    config: PreprocessConfig, reading: Reading, pieces: Iterator[Piece]
) -> tuple[Pipeline, Iterator[Piece]]:
    """Punkt's parameters have to be known before the first sentence is split."""
    if config.sentences != "punkt":
        return config.pipeline(punkt=None), pieces
    beginning: list[Piece] = []

    def passages() -> Iterator[str]:
        for piece in pieces:
            beginning.append(piece)
            for _, text in piece.passages(reading, config.sentences):
                yield text

    return config.pipeline(learn_punkt(passages())), chain(beginning, pieces)
