"""Surprisal of the regions of experimental sentences, and which condition a model prefers."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from langmodel.inference.language_model import LanguageModel
from langmodel.inference.results import SentenceScore
from langmodel.intervals import Interval, wilson_interval
from langmodel.network.evaluation import log_share_of_unk
from langmodel.text.alignment import word_spans

UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef"
    "\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, kana, Han and their punctuation: written without blanks between words."""


@dataclass(frozen=True)
class Stimulus:
    """One sentence of an experiment, cut into the regions that are compared."""

    item: str
    condition: str
    regions: tuple[str, ...]


@dataclass(frozen=True)
class RegionScore:
    """The words that begin in a region, perhaps none; the last region of a sentence is END alone."""

    text: str
    log_probs: tuple[float, ...]
    """Natural log, of each word."""
    oov: int

    @property
    def words(self) -> int:
        return len(self.log_probs)

    @property
    def log_prob(self) -> float:
        return math.fsum(self.log_probs)


@dataclass(frozen=True)
class ScoredStimulus:
    stimulus: Stimulus
    regions: tuple[RegionScore, ...]
    """Those of the stimulus, and END's. Their log-probabilities add up to the sentence's."""

    @property
    def log_prob(self) -> float:
        return math.fsum(region.log_prob for region in self.regions)

    @property
    def oov(self) -> int:
        return sum(region.oov for region in self.regions)


def joined(regions: Sequence[str], tokenize: Callable[[str], list[str]]) -> tuple[str, list[int]]:
    """The sentence, and where each region begins in it. An empty region begins where the text so far ends.

    Regions stand a blank apart, as words do. Where a script without blanks meets the border, there is none,
    unless the tokenizer would then see other words.
    """
    text, starts, left = "", [], ""
    for region in regions:
        if left and region:
            unspaced = UNSPACED.match(left[-1]) or UNSPACED.match(region[0])
            apart = not unspaced or tokenize(left + region) != [*tokenize(left), *tokenize(region)]
            text += " " if apart else ""
        starts.append(len(text))
        text += region
        left = region or left
    return text, starts


def score_stimuli(
    lm: LanguageModel, stimuli: Sequence[Stimulus], *, open_vocabulary: int | None = None
) -> Iterator[ScoredStimulus]:
    """In their order, each from the zero state.

    With an `open_vocabulary` of N words, UNK's probability is shared out equally among those of them that the
    model lacks. Raises ConfigError if there are none.
    """
    share = 0.0 if open_vocabulary is None else log_share_of_unk(len(lm.vocabulary.words), open_vocabulary)
    sentences = [joined(stimulus.regions, lm.pipeline.tokenize) for stimulus in stimuli]
    scores = lm.score_lines(text for text, _ in sentences)
    for stimulus, (_, starts), score in zip(stimuli, sentences, scores, strict=True):
        yield ScoredStimulus(stimulus, (*_by_region(stimulus, starts, score, share), _end(score)))


def _by_region(
    stimulus: Stimulus, starts: Sequence[int], score: SentenceScore, share: float
) -> Iterator[RegionScore]:
    words = score.words[:-1]
    begins = [start for start, _ in word_spans(score.text, [word.word for word in words])]
    ends = [*starts[1:], len(score.text)]
    for region, start, end in zip(stimulus.regions, starts, ends, strict=True):
        own = [word for word, begin in zip(words, begins, strict=True) if region and start <= begin < end]
        log_probs = tuple(word.log_prob + share * word.oov for word in own)
        yield RegionScore(region, log_probs, sum(word.oov for word in own))


def _end(score: SentenceScore) -> RegionScore:
    end = score.words[-1]
    return RegionScore(end.word, (end.log_prob,), 0)


@dataclass(frozen=True)
class Preference:
    """How often the expected condition is likelier than another condition of the same item."""

    other: str
    items: int
    preferred: int
    ties: int
    """Items whose two values are equal: no preference."""
    with_oov: int
    """Items with a word outside the vocabulary in either sentence, or in either region."""

    @property
    def accuracy(self) -> float:
        return self.preferred / self.items

    @property
    def interval(self) -> Interval:
        return wilson_interval(self.preferred, self.items)


def preferences(
    scored: Sequence[ScoredStimulus],
    expected: str,
    region: int | None = None,
    *,
    excludes_oov: bool = False,
) -> list[Preference]:
    """For every other condition, over the items that have both.

    Whole sentences are compared, END included, or one region, counted from 1. With `excludes_oov`, items with
    a word outside the vocabulary in what is compared are left out.
    """
    by_item: dict[str, dict[str, tuple[float, int]]] = {}
    for score in scored:
        compared = score.regions if region is None else score.regions[region - 1 : region]
        values = sum(r.log_prob for r in compared), sum(r.oov for r in compared)
        by_item.setdefault(score.stimulus.item, {})[score.stimulus.condition] = values
    others = dict.fromkeys(
        score.stimulus.condition for score in scored if score.stimulus.condition != expected
    )
    found = []
    for other in others:
        pairs = [(*c[expected], *c[other]) for c in by_item.values() if expected in c and other in c]
        if excludes_oov:
            pairs = [pair for pair in pairs if not (pair[1] or pair[3])]
        if pairs:
            found.append(
                Preference(
                    other,
                    items=len(pairs),
                    preferred=sum(ours > theirs for ours, _, theirs, _ in pairs),
                    ties=sum(ours == theirs for ours, _, theirs, _ in pairs),
                    with_oov=sum(bool(oov or other_oov) for _, oov, _, other_oov in pairs),
                )
            )
    return found
