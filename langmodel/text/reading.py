"""A text -> its sentences, as a model's corpus was read, each with its place in the text."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from langmodel.errors import ConfigError
from langmodel.text.paragraphs import PASSAGE_CHARACTERS, SENTENCES, PlacedLine, cut_points, joined
from langmodel.text.pipeline import Pipeline
from langmodel.text.sentences import LineSplitter, PunktSplitter, listed_abbreviations


@dataclass(frozen=True)
class PlacedSentence:
    """A sentence and where it stands; a line is counted from 1, a character of it from 0, ends excluded."""

    text: str
    line: int
    char_start: int
    end_line: int
    char_end: int
    paragraph_characters: int
    """Of the paragraph and its end, with its first sentence; 0 with the others."""


def read_sentences(
    lines: Iterable[str], pipeline: Pipeline, sentences: str | None = None
) -> Iterator[PlacedSentence]:
    """The sentences of a text, by the pipeline's own splitter or by the one that `sentences` names.

    A pipeline that was made for one sentence per line knows no abbreviations of its own: with `punkt`, common
    English ones are taken. Raises ConfigError for an unknown name.
    """
    sentences = sentences or pipeline.sentences
    if sentences not in SENTENCES:
        raise ConfigError(f"unknown sentences {sentences!r}; choose from {', '.join(SENTENCES)}")
    splitter: LineSplitter | PunktSplitter = LineSplitter()
    if sentences == "punkt":
        splitter = PunktSplitter(pipeline.punkt or listed_abbreviations())
    for paragraph in SENTENCES[sentences](lines):
        text = joined(paragraph)
        starts = _starts(text, paragraph)
        characters = len(text) + 1
        pieces = [(0, len(text))] if len(text) <= 2 * PASSAGE_CHARACTERS else pairwise(cut_points(text))
        for start, end in pieces:
            at = start
            for sentence in splitter.split(text[start:end]):
                at = text.index(sentence, at)
                yield _placed(sentence, at, paragraph, starts, characters)
                at += len(sentence)
                characters = 0


def _starts(text: str, paragraph: list[PlacedLine]) -> list[int]:
    """Where each line of the paragraph begins in its text."""
    starts, at = [], 0
    for piece in paragraph:
        at = text.index(piece.text, at)
        starts.append(at)
        at += len(piece.text)
    return starts


def _placed(
    sentence: str, at: int, paragraph: list[PlacedLine], starts: list[int], characters: int
) -> PlacedSentence:
    first, last = bisect_right(starts, at) - 1, bisect_right(starts, at + len(sentence) - 1) - 1
    return PlacedSentence(
        sentence,
        paragraph[first].line,
        paragraph[first].column + at - starts[first],
        paragraph[last].line,
        paragraph[last].column + at + len(sentence) - starts[last],
        characters,
    )
