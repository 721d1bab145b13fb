"""Lines -> passages -> sentences: Punkt, or one sentence a line."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice
from typing import Any

from langmodel.errors import ConfigError

PUNKT_TRAINING_WORDS = 100_000
"""Below this many words Punkt learns ordinary words as abbreviations and joins sentences."""

PUNKT_TRAINING_CHARACTERS = 1_200_000
"""Punkt is trained on at most this much of the corpus's beginning."""

PASSAGE_CHARACTERS = 1_000_000
"""A passage that grows past this many characters ends at the next line."""

SENTENCE_ENDS = (". ", "? ", "! ")

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
        if not any(mark in passage for mark in ".?!"):
            return [passage]
        return list(self._punkt.tokenize(passage))


@dataclass(frozen=True)
class LineSplitter:
    """A passage is a line, and a line is a sentence."""

    def split(self, passage: str) -> list[str]:
        return [passage]


def line_passages(lines: Iterable[str]) -> Iterator[str]:
    """Every line that is not blank."""
    return (line for line in lines if line and not line.isspace())


def prose_passages(lines: Iterable[str]) -> Iterator[str]:
    """Paragraphs: what blank lines separate where blank lines are in use, else every line.

    Hard-wrapped prose keeps its sentences whole, and a text with a paragraph a line stays as it is.
    """
    for passage in _paragraphs(iter(lines)):
        yield from _cut(passage)


def _cut(passage: str) -> Iterator[str]:
    """Pieces that NLTK's expressions get through in time, cut after a sentence or a word if there is one."""
    start = 0
    while len(passage) - start > 2 * PASSAGE_CHARACTERS:
        window = passage[start : start + PASSAGE_CHARACTERS]
        end = max(window.rfind(mark) for mark in SENTENCE_ENDS) + 1 or window.rfind(" ") + 1
        yield passage[start : start + (end or len(window))]
        start += end or len(window)
    yield passage[start:]


def _paragraphs(lines: Iterator[str]) -> Iterator[str]:
    sample = list(islice(lines, WRAP_SAMPLE_LINES))
    blank = sum(1 for line in sample if not line.strip())
    if blank < WRAP_BLANK_SHARE * len(sample):
        yield from line_passages(chain(sample, lines))
        return
    paragraph: list[str] = []
    size = 0
    for line in chain(sample, lines):
        stripped = line.strip()
        if stripped:
            paragraph.append(stripped)
            size += len(stripped)
        if paragraph and (not stripped or size > PASSAGE_CHARACTERS):
            yield " ".join(paragraph)
            paragraph, size = [], 0
    if paragraph:
        yield " ".join(paragraph)


SENTENCES: dict[str, Callable[[Iterable[str]], Iterator[str]]] = {
    "punkt": prose_passages,
    "line": line_passages,
}
"""How `--sentences NAME` cuts a document's lines into passages."""


def learn_punkt(passages: list[str]) -> PunktParameters:
    """The best Punkt parameters at hand: installed `punkt_tab`, else trained on `passages`, else a list."""
    installed = _installed_punkt()
    if installed is not None:
        return installed
    if sum(passage.count(" ") + 1 for passage in passages) < PUNKT_TRAINING_WORDS:
        return PunktParameters("abbreviation list", abbreviations=tuple(sorted(ENGLISH_ABBREVIATIONS)))
    from nltk.tokenize.punkt import PunktTrainer

    trainer = PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    trainer.train("\n".join(passages), finalize=False)
    trainer.finalize_training()
    return _as_data("trained on the corpus", trainer.get_params(), extra=ENGLISH_ABBREVIATIONS)


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
