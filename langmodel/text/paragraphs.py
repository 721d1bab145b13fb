"""Lines -> paragraphs -> passages: what a splitter is given at a time."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from itertools import chain, islice, pairwise
from typing import NamedTuple

from langmodel.text.wrapping import look_wrapped

PASSAGE_CHARACTERS = 1_000_000
"""A passage that grows past this many characters ends at the next line."""

SENTENCE_ENDS = (". ", "? ", "! ", "。", "！", "？", "।")

SENTENCE_MARKS = frozenset('.?!”"')

WRAPPED_CHARACTERS = 600
"""A paragraph of wrapped lines without blank ones between is at least this long."""

WRAP_SAMPLE_LINES = 1_000
WRAP_BLANK_SHARE = 0.02
"""Blank lines separate passages if at least this share of a document's first lines is blank."""


class PlacedLine(NamedTuple):
    """A line of a paragraph, without the blanks around it, and where it stands in its text."""

    line: int
    """From 1."""
    column: int
    """Characters of the line before it."""
    text: str


def line_paragraphs(lines: Iterable[str]) -> Iterator[list[PlacedLine]]:
    """Every line that is not blank, as it is."""
    for number, line in enumerate(lines, start=1):
        if line and not line.isspace():
            yield [PlacedLine(number, 0, line)]


class Layout(Enum):
    """What ends a paragraph of a document."""

    LINES = "every line"
    BLANK_LINES = "a blank line"
    WRAPPED = "a sentence that ends with its line, after a while"


def layout_of(sample: Sequence[str], sentences: str) -> Layout:
    """Judged by the document's first WRAP_SAMPLE_LINES lines.

    Hard-wrapped prose keeps its sentences whole, and a text with a paragraph per line stays as it is.
    """
    if sentences == "line":
        return Layout.LINES
    if sum(1 for line in sample if not line.strip()) >= WRAP_BLANK_SHARE * len(sample):
        return Layout.BLANK_LINES
    return Layout.WRAPPED if look_wrapped(sample) else Layout.LINES


def prose_paragraphs(lines: Iterable[str]) -> Iterator[list[PlacedLine]]:
    """What blank lines separate where blank lines are in use, or lines are wrapped; else every line."""
    walked = iter(lines)
    sample = list(islice(walked, WRAP_SAMPLE_LINES))
    yield from paragraphs(chain(sample, walked), layout_of(sample, "punkt"))


def paragraphs(lines: Iterable[str], layout: Layout) -> Iterator[list[PlacedLine]]:
    """The paragraphs of a document of a known layout, or of a part of it that begins with a paragraph."""
    if layout is Layout.LINES:
        yield from line_paragraphs(lines)
        return
    most = WRAPPED_CHARACTERS if layout is Layout.WRAPPED else PASSAGE_CHARACTERS
    paragraph: list[PlacedLine] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped:
            paragraph.append(PlacedLine(number, line.index(stripped[0]), stripped))
            size += len(stripped)
        is_end = not stripped or size > PASSAGE_CHARACTERS or (size > most and stripped[-1] in SENTENCE_MARKS)
        if paragraph and is_end:
            yield paragraph
            paragraph, size = [], 0
    if paragraph:
        yield paragraph


def joined(paragraph: list[PlacedLine]) -> str:
    """Its text: a blank between two lines, but none between characters that are written without."""
    text = " ".join(piece.text for piece in paragraph)
    if text.isascii() or len(paragraph) == 1:
        return text
    parts = [paragraph[0].text]
    for before, piece in pairwise(paragraph):
        parts.append(
            piece.text if _is_wide(before.text[-1]) and _is_wide(piece.text[0]) else f" {piece.text}"
        )
    return "".join(parts)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def cut_points(passage: str) -> list[int]:
    """Where to cut a passage into pieces that NLTK's expressions get through in time, both ends included.

    After a sentence or a word, if there is one.
    """
    points = [0]
    while len(passage) - points[-1] > 2 * PASSAGE_CHARACTERS:
        window = passage[points[-1] : points[-1] + PASSAGE_CHARACTERS]
        ends = [window.rfind(mark) + 1 for mark in SENTENCE_ENDS]
        points.append(points[-1] + (max(ends) or window.rfind(" ") + 1 or len(window)))
    return [*points, len(passage)]


SENTENCES: dict[str, Callable[[Iterable[str]], Iterator[list[PlacedLine]]]] = {
    "punkt": prose_paragraphs,
    "line": line_paragraphs,
}
"""How `--sentences NAME` cuts a document's lines into paragraphs, which a splitter then cuts."""


def passages(lines: Iterable[str], sentences: str) -> Iterator[str]:
    """The texts of a document's paragraphs."""
    return texts_of(SENTENCES[sentences](lines))


def texts_of(paragraphs: Iterable[list[PlacedLine]]) -> Iterator[str]:
    """The longest cut in pieces."""
    for paragraph in paragraphs:
        text = joined(paragraph)
        if len(text) <= 2 * PASSAGE_CHARACTERS:
            yield text
        else:
            yield from (text[start:end] for start, end in pairwise(cut_points(text)))
