"""Surprisal of the regions of experimental sentences, and which condition a model prefers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from langmodel.inference.language_model import LanguageModel
from langmodel.inference.results import SentenceScore
from langmodel.text.alignment import word_spans


@dataclass(frozen=True)
class Stimulus:
    """One sentence of an experiment, cut into the regions that are compared."""

    item: str
    condition: str
    regions: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.regions)


@dataclass(frozen=True)
class RegionScore:
    """Sums over the words that begin in a region; the last region of a sentence is END alone."""

    text: str
    words: int
    oov: int
    log_prob: float
    """Natural log."""


@dataclass(frozen=True)
class ScoredStimulus:
    stimulus: Stimulus
    regions: tuple[RegionScore, ...]
    """Those of the stimulus, and END's. Their log-probabilities add up to the sentence's."""

    @property
    def log_prob(self) -> float:
        return sum(region.log_prob for region in self.regions)


def score_stimuli(lm: LanguageModel, stimuli: Sequence[Stimulus]) -> Iterator[ScoredStimulus]:
    """In their order, each from the zero state."""
    scores = lm.score_lines(stimulus.text for stimulus in stimuli)
    for stimulus, score in zip(stimuli, scores, strict=True):
        yield ScoredStimulus(stimulus, (*_by_region(stimulus, score), _end(score)))


def _by_region(stimulus: Stimulus, score: SentenceScore) -> Iterator[RegionScore]:
    words = score.words[:-1]
    begins = [start for start, _ in word_spans(score.text, [word.word for word in words])]
    start = 0
    for region in stimulus.regions:
        end = start + len(region) + 1
        own = [word for word, begin in zip(words, begins, strict=True) if start <= begin < end]
        yield RegionScore(region, len(own), sum(word.oov for word in own), sum(word.log_prob for word in own))
        start = end


def _end(score: SentenceScore) -> RegionScore:
    end = score.words[-1]
    return RegionScore(end.word, 1, 0, end.log_prob)


@dataclass(frozen=True)
class Preference:
    """How often the expected condition is likelier than another condition of the same item."""

    other: str
    items: int
    preferred: int

    @property
    def accuracy(self) -> float:
        return self.preferred / self.items


def preferences(
    scored: Sequence[ScoredStimulus], expected: str, region: int | None = None
) -> list[Preference]:
    """For every other condition, over the items that have both; a tie is no preference.

    Whole sentences are compared, END included, or one region, counted from 1.
    """
    by_item: dict[str, dict[str, float]] = {}
    for one in scored:
        value = one.log_prob if region is None else one.regions[region - 1].log_prob
        by_item.setdefault(one.stimulus.item, {})[one.stimulus.condition] = value
    others = dict.fromkeys(one.stimulus.condition for one in scored if one.stimulus.condition != expected)
    found = []
    for other in others:
        pairs = [c for c in by_item.values() if expected in c and other in c]
        if pairs:
            found.append(Preference(other, len(pairs), sum(c[expected] > c[other] for c in pairs)))
    return found
