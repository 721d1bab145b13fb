"""Passages -> sentences: Punkt, or one sentence per line."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise
from typing import Any

from langmodel.errors import ConfigError

PUNKT_TRAINING_WORDS = 100_000
"""Below this many words Punkt learns ordinary words as abbreviations and joins sentences."""

PUNKT_TRAINING_CHARACTERS = 1_200_000
"""Punkt is trained on at most this much of the corpus's beginning."""

LATIN_ENDS = ".?!"
"""What Punkt decides about."""

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
