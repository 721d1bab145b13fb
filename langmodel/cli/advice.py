"""Advice for words that are unknown for a reason that is easily fixed."""

import sys
from collections.abc import Iterable, Iterator

from langmodel.inference.language_model import LanguageModel
from langmodel.inference.results import SentenceScore

STRAIGHT, CURLY = "'", "’"


def apostrophe_advice(lm: LanguageModel, text: str) -> str | None:
    """A note if the text has unknown words that the other kind of apostrophe would make known; else None."""
    for has, lacks, name in ((STRAIGHT, CURLY, "curly (’)"), (CURLY, STRAIGHT, "straight (')")):
        if has not in text:
            continue
        unknown = len(lm.unknown_words(lm.pipeline.tokenize(text)))
        other = text.replace(has, lacks)
        if unknown and len(lm.unknown_words(lm.pipeline.tokenize(other))) < unknown:
            return f"note: this model's text has {name} apostrophes; with them, fewer words here are unknown"
    return None


class UnknownWords:
    """Counts them in scores that pass by."""

    def __init__(self, scores: Iterable[SentenceScore]) -> None:
        self._scores = scores
        self.count = self.words = 0

    def __iter__(self) -> Iterator[SentenceScore]:
        for score in self._scores:
            self.count += score.oov
            self.words += score.tokens - 1
            yield score

    @property
    def note(self) -> str:
        return (
            f"note: the model does not know {self.count:,} of {self.words:,} words, and gives each the "
            "surprisal of an unknown word; --mask-unknown shows which"
        )


class ApostropheAdvice:
    """Gives that note once, for the first sentence that deserves it."""

    def __init__(self, lm: LanguageModel) -> None:
        self._lm = lm
        self._given = False

    def watched(self, scores: Iterable[SentenceScore]) -> Iterator[SentenceScore]:
        """The same scores."""
        for score in scores:
            if not self._given and score.oov and (note := apostrophe_advice(self._lm, score.text)):
                self._given = True
                print(note, file=sys.stderr)
            yield score
