"""Counted types -> vocabulary, rare words, and how capitalised first words are written."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from langmodel.errors import ConfigError, CorpusError
from langmodel.text.casing import INITIAL, mostly_lower, settled
from langmodel.text.pipeline import Pipeline
from langmodel.text.preprocess_config import PreprocessConfig
from langmodel.text.tokenizers import SPELLED
from langmodel.text.vocabulary import SPECIAL_TOKENS, Vocabulary, build_vocabulary

MOST_UNKNOWN = 0.1
"""A text of which more words would become unknown is too small to give any away."""


@dataclass(frozen=True)
class Chosen:
    """What the second pass needs to know."""

    vocabulary: Vocabulary
    pipeline: Pipeline
    forms: Mapping[str, str]
    """For every type that is not written as it was counted, how it is."""
    counts: Mapping[str, int]
    """Of the words of the training split."""
    min_count: int


def choose_words(
    types: Mapping[str, int],
    pipeline: Pipeline,
    config: PreprocessConfig,
    given: tuple[Vocabulary, Pipeline] | None,
) -> Chosen:
    """`types` says how often each occurs in the training split, which may lack those of the others.

    Raises CorpusError where there is no word to choose, ConfigError where none is frequent enough.
    """
    counted = {word: n for word, n in types.items() if n}
    if not counted:
        raise CorpusError(f"every word is {config.unk_token!r}; there is nothing to learn")
    if given is not None:
        return _as_given(types, counted, *given)
    forms = settled(types)
    counts = _merged(counted, forms)
    min_count = config.min_count
    if min_count is None:
        everything_fits = len(counts) + len(SPECIAL_TOKENS) <= config.vocabulary_size
        seen_once = sum(n == 1 for n in counts.values()) / sum(counts.values())
        needs_unknown = (
            seen_once and everything_fits and pipeline.unk_token is None and config.tokenizer not in SPELLED
        )
        min_count = 2 if needs_unknown and seen_once <= MOST_UNKNOWN else 1
    vocabulary = build_vocabulary(counts, size=config.vocabulary_size, min_count=min_count)
    if not vocabulary.words:
        raise ConfigError(f"no word occurs {min_count} times; lower --min-count")
    if pipeline.case == "true":
        pipeline = replace(pipeline, lowered=mostly_lower(vocabulary.words, counted))
    return Chosen(vocabulary, pipeline, forms, counts, min_count)


def _as_given(
    types: Mapping[str, int], counted: Mapping[str, int], vocabulary: Vocabulary, pipeline: Pipeline
) -> Chosen:
    """Another's words in their order, counted in this text."""
    forms = {
        word: pipeline.normalize_sentence([word.removeprefix(INITIAL)])[0]
        for word in types
        if word.startswith(INITIAL)
    }
    counts = _merged(counted, forms)
    if not any(word in vocabulary for word in counts):
        raise CorpusError("no word of this text is in the given vocabulary; leave --vocabulary-from out")
    own = Vocabulary(vocabulary.words, [counts.get(word, 0) for word in vocabulary.words])
    return Chosen(own, pipeline, forms, counts, min_count=1)


def _merged(counted: Mapping[str, int], forms: Mapping[str, str]) -> dict[str, int]:
    """The counts of words as they are written."""
    counts = {word: n for word, n in counted.items() if word not in forms}
    for word, form in forms.items():
        if n := counted.get(word, 0):
            counts[form] = counts.get(form, 0) + n
    return counts
