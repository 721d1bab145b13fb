"""Lines -> passages -> sentences: Punkt, or one sentence a line."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, cached_property
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple

from langmodel.errors import ConfigError
from langmodel.text.wrapping import look_wrapped

PUNKT_TRAINING_WORDS = 100_000
"""Below this many words Punkt learns ordinary words as abbreviations and joins sentences."""

PUNKT_TRAINING_CHARACTERS = 1_200_000
"""Punkt is trained on at most this much of the corpus's beginning."""

PASSAGE_CHARACTERS = 1_000_000
"""A passage that grows past this many characters ends at the next line."""

SENTENCE_ENDS = (". ", "? ", "! ", "。", "！", "？", "।")

SENTENCE_MARKS = frozenset('.?!”"')

LATIN_ENDS = ".?!"
"""What Punkt decides about."""

WRAPPED_CHARACTERS = 600
"""A paragraph of wrapped lines without blank ones between is at least this long."""

WRAP_SAMPLE_LINES = 1_000
WRAP_BLANK_SHARE = 0.02
"""Blank lines separate passages if at least this share of a document's first lines is blank."""

ENGLISH_ABBREVIATIONS = frozenset(
    """
    a.d a.k.a a.m adj adm adv apr approx apt asst aug ave b.c bldg blvd brig bros c.f capt cf
    cmdr co col cols comdr corp cpl d.c dec dept dr e.g ed eds eng eq eqs esp esq est et.al
    etc ex feb fig figs fri gen gov hon i.e inc incl jan jr jul jun lat lb lbs lt ltd m.d maj
    messrs mfg misc mr mrs ms msgr mt mtn mts n.b n.y nov oct orig oz p.m p.s pfc ph.d pl pp
    pres prof pvt pt rd reps resp rev sen sens sep sept sgt sr st ste subj supt
    tbsp tech thur thurs tue tues u.k u.n u.s u.s.a univ viz vol vols vs wed
    """.split()
) | frozenset("abcdefghjklmnopqrstuvwxyz")
"""Common English abbreviations, without their last period (NLTK's way); `i` is left out: it is a word."""


@dataclass(frozen=True)
class PunktParameters:
    """What Punkt knows (Kiss and Strunk 2006), as plain data that a JSON file can hold."""

    origin: str
    """Where it comes from: `punkt_tab`, `trained on the corpus`, or `abbreviation list`."""
    abbreviations: tuple[str, ...] = ()
    collocations: tuple[tuple[str, str], ...] = ()
    sentence_starters: tuple[str, ...] = ()
    orthography: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "origin": self.origin,
            "abbreviations": list(self.abbreviations),
            "collocations": [list(pair) for pair in self.collocations],
            "sentence_starters": list(self.sentence_starters),
            "orthography": self.orthography,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "PunktParameters":
        """Raises ConfigError unless `data` is what `to_dict` gives."""
        try:
            pairs = tuple((str(a), str(b)) for a, b in data["collocations"])
            return cls(
                origin=str(data["origin"]),
                abbreviations=tuple(map(str, data["abbreviations"])),
                collocations=pairs,
                sentence_starters=tuple(map(str, data["sentence_starters"])),
                orthography={str(word): int(flags) for word, flags in data["orthography"].items()},
            )
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise ConfigError(f"Punkt parameters are malformed ({error!r})") from None


@dataclass(frozen=True)
class PunktSplitter:
    """Splits a passage into sentences with NLTK's Punkt."""

    parameters: PunktParameters

    @cached_property
    def _punkt(self) -> Any:
        from nltk.tokenize import punkt

        known = punkt.PunktParameters()
        known.abbrev_types = set(self.parameters.abbreviations)
        known.collocations = set(self.parameters.collocations)
        known.sent_starters = set(self.parameters.sentence_starters)
        known.ortho_context.update(self.parameters.orthography)
        return punkt.PunktSentenceTokenizer(known)

    def split(self, passage: str) -> list[str]:
        sentences = [passage]
        if any(mark in passage for mark in LATIN_ENDS):
            sentences = list(self._punkt.tokenize(passage))
        if passage.isascii():
            return sentences
        return [part for sentence in sentences for part in split_at_other_ends(sentence)]


@cache
def _other_ends() -> Any:
    """A sentence's end in scripts that do not end one with a full stop, and what closes after it.

    Unicode's property Sentence_Terminal, as the library `regex` has it (a part of NLTK's requirements).
    """
    import regex

    return regex.compile(
        rf"[\p{{Sentence_Terminal}}--[{LATIN_ENDS}…‼⁇⁈⁉⸮]]+[\p{{Pe}}\p{{Pf}}\"'』」]*", regex.V1
    )


def split_at_other_ends(sentence: str) -> list[str]:
    """The sentences between `。`, `！`, `？`, `।`, `؟`, `։` and their like; blanks between them go."""
    ends = [found.end() for found in _other_ends().finditer(sentence)]
    parts = [sentence[start:end].strip() for start, end in pairwise([0, *ends, len(sentence)])]
    return [part for part in parts if part] or [sentence]


@dataclass(frozen=True)
class LineSplitter:
    """A passage is a line, and a line is a sentence."""

    def split(self, passage: str) -> list[str]:
        return [passage]


class Piece(NamedTuple):
    """A line of a paragraph, without the blanks around it, and where it stands in its text."""

    line: int
    """From 1."""
    column: int
    """Characters of the line before it."""
    text: str


def line_paragraphs(lines: Iterable[str]) -> Iterator[list[Piece]]:
    """Every line that is not blank, as it is."""
    for number, line in enumerate(lines, start=1):
        if line and not line.isspace():
            yield [Piece(number, 0, line)]


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


def prose_paragraphs(lines: Iterable[str]) -> Iterator[list[Piece]]:
    """What blank lines separate where blank lines are in use, or lines are wrapped; else every line."""
    walked = iter(lines)
    sample = list(islice(walked, WRAP_SAMPLE_LINES))
    yield from paragraphs(chain(sample, walked), layout_of(sample, "punkt"))


def paragraphs(lines: Iterable[str], layout: Layout) -> Iterator[list[Piece]]:
    """The paragraphs of a document of a known layout, or of a part of it that begins with a paragraph."""
    if layout is Layout.LINES:
        yield from line_paragraphs(lines)
        return
    most = WRAPPED_CHARACTERS if layout is Layout.WRAPPED else PASSAGE_CHARACTERS
    paragraph: list[Piece] = []
    size = 0
    for number, line in enumerate(lines, start=1):
        stripped = line.strip()
        if stripped:
            paragraph.append(Piece(number, line.index(stripped[0]), stripped))
            size += len(stripped)
        is_end = not stripped or size > PASSAGE_CHARACTERS or (size > most and stripped[-1] in SENTENCE_MARKS)
        if paragraph and is_end:
            yield paragraph
            paragraph, size = [], 0
    if paragraph:
        yield paragraph


def joined(paragraph: list[Piece]) -> str:
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


SENTENCES: dict[str, Callable[[Iterable[str]], Iterator[list[Piece]]]] = {
    "punkt": prose_paragraphs,
    "line": line_paragraphs,
}
"""How `--sentences NAME` cuts a document's lines into paragraphs, which a splitter then cuts."""


def passages(lines: Iterable[str], sentences: str) -> Iterator[str]:
    """The texts of a document's paragraphs."""
    return texts_of(SENTENCES[sentences](lines))


def texts_of(paragraphs: Iterable[list[Piece]]) -> Iterator[str]:
    """The longest cut in pieces."""
    for paragraph in paragraphs:
        text = joined(paragraph)
        if len(text) <= 2 * PASSAGE_CHARACTERS:
            yield text
        else:
            yield from (text[start:end] for start, end in pairwise(cut_points(text)))


def learn_punkt(passages: Iterable[str]) -> PunktParameters:
    """The best Punkt parameters at hand: installed `punkt_tab`, else trained on the beginning of `passages`,
    else a list. Takes no more of them than it needs.
    """
    installed = _installed_punkt()
    if installed is not None:
        return installed
    beginning: list[str] = []
    characters = 0
    for passage in passages:
        beginning.append(passage)
        characters += len(passage)
        if characters > PUNKT_TRAINING_CHARACTERS:
            break
    if sum(passage.count(" ") + 1 for passage in beginning) < PUNKT_TRAINING_WORDS:
        return listed_abbreviations()
    from nltk.tokenize.punkt import PunktTrainer

    trainer = PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    trainer.train("\n".join(beginning), finalize=False)
    trainer.finalize_training()
    return _as_data("trained on the corpus", trainer.get_params(), extra=ENGLISH_ABBREVIATIONS)


def listed_abbreviations() -> PunktParameters:
    """Common English abbreviations, and nothing else."""
    return PunktParameters("abbreviation list", abbreviations=tuple(sorted(ENGLISH_ABBREVIATIONS)))


def _installed_punkt() -> PunktParameters | None:
    from nltk.tokenize.punkt import PunktTokenizer

    try:
        return _as_data("punkt_tab", PunktTokenizer("english")._params)
    except LookupError:
        return None


def _as_data(origin: str, known: Any, extra: frozenset[str] = frozenset()) -> PunktParameters:
    return PunktParameters(
        origin,
        abbreviations=tuple(sorted(set(known.abbrev_types) | extra)),
        collocations=tuple(sorted((a, b) for a, b in known.collocations)),
        sentence_starters=tuple(sorted(known.sent_starters)),
        orthography=dict(sorted(known.ortho_context.items())),
    )
