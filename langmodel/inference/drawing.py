"""What a person asks a sampler for, in words -> sentences drawn, in words."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import index
from typing import TypeVar

import torch

from langmodel.errors import ConfigError
from langmodel.inference.balance import Balance
from langmodel.inference.demands import Demand, avoids, copies_at_most, includes
from langmodel.inference.results import SampledSentence
from langmodel.inference.sampling import sample_ids
from langmodel.inference.settings import MAX_SEED, SamplingSettings
from langmodel.inference.wording import fill_unknown, sentence_in_words, spelled
from langmodel.network.predictor import Predictor
from langmodel.ngrams.copied_runs import CopiedRuns
from langmodel.text.pipeline import Pipeline
from langmodel.text.reading import read_sentences
from langmodel.text.vocabulary import END_ID, UNK_ID, Vocabulary

Texts = TypeVar("Texts", bound=Iterable[str])


def several(texts: Texts) -> Texts:
    """The same, unless it is one text, whose characters nobody means."""
    if isinstance(texts, str):
        raise TypeError(f"expected several texts, got one: {texts[:40]!r}; put it in a list")
    return texts


DEFAULTS = SamplingSettings()


@dataclass(frozen=True, kw_only=True)
class SamplingRequest:
    """What the drawn sentences are to be like."""

    prefix: str = ""
    """How each begins: the beginning of a sentence or, for a passage, several sentences."""
    settings: SamplingSettings = DEFAULTS
    ban: Sequence[str] = ()
    """Words that none has; unknown ones are left aside."""
    include: Sequence[str] = ()
    """Words that all have: sentences without are drawn again."""
    copies: CopiedRuns | None = None
    """With these, each sentence carries its longest run of words of that text."""
    most_copied: int | None = None
    """Sentences with a longer run are drawn again."""
    rare_words: Vocabulary | None = None
    """For the unk policy `copy-rare`: words that stand for UNK, drawn in proportion to their counts."""

    def __post_init__(self) -> None:
        several(self.ban), several(self.include)
        if self.settings.unk == "copy-rare" and not (self.rare_words and self.rare_words.words):
            raise ConfigError("copy-rare needs words that fell outside the vocabulary, and there are none")
        if self.most_copied is not None and self.copies is None:
            raise ConfigError("most_copied needs the training text: give copies too")


def draw(
    network: Predictor,
    vocabulary: Vocabulary,
    pipeline: Pipeline,
    n: int,
    request: SamplingRequest,
    seed: int | None,
    check: Callable[[], object] = lambda: None,
) -> Iterator[tuple[SampledSentence, int]]:
    """The sentences as they come, each with how many had been drawn by then.

    `check` is called before every word, and may raise to stop the work.
    """
    if n < 0:
        raise ConfigError(f"cannot draw {n} sentences")
    if seed is not None and not 0 <= (seed := index(seed)) <= MAX_SEED:
        raise ConfigError(f"seed must be between 0 and {MAX_SEED}, got {seed}")
    settings, copies = request.settings, request.copies
    words, prefix_ids = read_prefix(request.prefix, settings, pipeline, vocabulary)
    named = {word: spelled(word, pipeline, vocabulary) for word in request.ban}
    generator, filling = torch.Generator(), torch.Generator()
    if seed is None:
        seed = generator.seed() % (MAX_SEED + 1)
    generator.manual_seed(seed)
    filling.manual_seed(MAX_SEED - seed)
    drawn = sample_ids(
        network,
        n,
        settings,
        prefix=prefix_ids,
        banned=[ids[0] for ids in named.values() if len(ids) == 1],
        demands=_demands(request, named, prefix_ids, pipeline, vocabulary),
        balance=Balance.of(vocabulary) if settings.balance else None,
        generator=generator,
        check=check,
    )
    for found, tries in drawn:
        sentence = sentence_in_words(found, words, pipeline, vocabulary)
        if copies is not None:
            sentence = replace(sentence, longest_copied_run=copies.longest_run(found.ids))
        if settings.unk == "copy-rare" and request.rare_words is not None:
            sentence = fill_unknown(
                sentence, found.ids, len(prefix_ids), request.rare_words, pipeline, filling
            )
        yield sentence, tries


def _demands(
    request: SamplingRequest,
    banned: dict[str, list[int]],
    prefix_ids: Sequence[int],
    pipeline: Pipeline,
    vocabulary: Vocabulary,
) -> list[Demand]:
    demands = [includes(_known(word, pipeline, vocabulary), word) for word in request.include]
    demands += [avoids(ids, word, len(prefix_ids)) for word, ids in banned.items() if len(ids) > 1]
    if request.most_copied is not None and request.copies is not None:
        if request.copies.longest_run(prefix_ids) > request.most_copied:
            raise ConfigError(f"the prefix copies more than {request.most_copied} words; shorten it")
        demands.append(copies_at_most(request.copies, request.most_copied))
    return demands


def _known(word: str, pipeline: Pipeline, vocabulary: Vocabulary) -> list[int]:
    ids = spelled(word, pipeline, vocabulary)
    if not ids or ids == [UNK_ID]:
        raise ConfigError(f"the word {word!r} is not in the vocabulary; no sentence can contain it")
    return ids


def read_prefix(
    prefix: str, settings: SamplingSettings, pipeline: Pipeline, vocabulary: Vocabulary
) -> tuple[list[list[str]], list[int]]:
    """The words of each sentence of a prefix, and its ids, END between two sentences.

    Raises ConfigError for a prefix that leaves no room.
    """
    texts = [prefix] if prefix else []
    if prefix and settings.sentences > 1:
        texts = [sentence.text for sentence in read_sentences([prefix], pipeline)]
    sentences = [pipeline.tokenize(text) for text in texts]
    most = settings.length + 1 if settings.length else settings.max_length
    if sentences and len(sentences[-1]) >= most:
        flag = "length" if settings.length else "max length"
        raise ConfigError(
            f"the prefix has {len(sentences[-1])} words; {flag} is {settings.length or most}, raise it"
        )
    if len(sentences) > settings.sentences:
        raise ConfigError(f"the prefix has {len(sentences)} sentences; raise --sentences")
    ids: list[int] = []
    for number, words in enumerate(sentences):
        ids += [END_ID] if number else []
        ids += pipeline.encode(words, vocabulary)
    return sentences, ids
