"""The whitespace words of a text, each with what the model's words in it add up to."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from langmodel.inference.results import SentenceScore
from langmodel.text.alignment import whitespace_words, word_spans


@dataclass(frozen=True)
class WrittenWord:
    """A word as it stands between blanks; punctuation that touches it belongs to it."""

    text: str
    log_prob: float
    """Natural log, summed over the model's words that begin in it."""
    words: int
    """Of the model."""
    oov: int


def written_words(score: SentenceScore) -> Iterator[WrittenWord]:
    """In order; END belongs to none of them."""
    words = score.words[:-1]
    spans = word_spans(score.text, [word.word for word in words])
    numbers = whitespace_words(score.text, spans)
    for number, text in enumerate(score.text.split(), start=1):
        own = [word for word, n in zip(words, numbers, strict=True) if n == number]
        yield WrittenWord(
            text, math.fsum(word.log_prob for word in own), len(own), sum(word.oov for word in own)
        )
