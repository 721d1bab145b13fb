"""What the beginning of a text tells about how it should be read: each finding names the flag that helps."""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from langmodel.text.cleaning import END_OF_BOOK, PICTURE, START_OF_BOOK
from langmodel.text.pipeline import Pipeline
from langmodel.text.sources import Reading
from langmodel.text.wrapping import WrapWatch

WATCHED_LINES = 20_000
"""Of all documents together; what shows does so by then."""

BLANKLESS_SHARE = 0.3
"""Above this share of characters of scripts without blanks, words are not what blanks separate."""

CLITIC = re.compile(
    r"\b(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|dell|nell|all|dall|sull|un|quest)['’](?=[a-zàâéèêëîïôûh])", re.I
)

CLITIC_SHARE = 0.01
"""Of all words, that many with an elision are French or Italian, not English."""

BLANKLESS_NAMES = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


class TextWatch:
    """Looks at lines as they pass."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._lines = self._words = self._clitics = self._characters = self._blankless = 0
        self._gutenberg = False
        self._wrap = WrapWatch()

    @property
    def lines_to_see(self) -> int:
        """How many more it looks at."""
        return WATCHED_LINES - self._lines

    def seen(self, lines: Iterable[str]) -> Iterator[str]:
        """The same lines."""
        for line in lines:
            if self._lines < WATCHED_LINES:
                self._look(line)
            yield line

    def _look(self, line: str) -> None:
        self._lines += 1
        self._wrap.look(line)
        self._words += line.count(" ") + 1
        self._characters += len(line)
        if not line.isascii():
            self._blankless += sum(map(is_blankless, line))
        if "'" in line or "’" in line:
            self._clitics += len(CLITIC.findall(line))
        if "[" in line or "*" in line:
            self._gutenberg = self._gutenberg or any(
                mark.search(line) for mark in (START_OF_BOOK, END_OF_BOOK, PICTURE)
            )

    def notes(self, pipeline: Pipeline) -> Iterator[str]:
        """One line for each finding that the pipeline does not answer already."""
        if self._gutenberg and self._reading.clean is None:
            yield (
                "this is a Project Gutenberg book that includes its licence or picture captions; "
                "--clean gutenberg removes them"
            )
        if self._blankless > BLANKLESS_SHARE * max(1, self._characters) and pipeline.tokenizer in (
            "nltk",
            "toktok",
            "whitespace",
        ):
            yield (
                "WARNING: this text has no spaces between words, so clauses were taken for words; use "
                "--tokenizer jieba for Chinese (pip install 'langmodel[zh]'), or --tokenizer character"
            )
        if self._clitics > CLITIC_SHARE * max(1, self._words) and pipeline.tokenizer == "nltk":
            yield (
                "elided words (l'homme, qu'il, dell'anno) were left whole; --tokenizer toktok splits them, "
                "as suits French and Italian"
            )
        if pipeline.sentences == "line" and self._wrap.looks_wrapped:
            yield "WARNING: the lines look wrapped, and each was taken for a sentence; use --sentences punkt"


def is_blankless(character: str) -> bool:
    """Whether a character is of a script that puts no blanks between words."""
    return character > "\u0dff" and unicodedata.name(character, "").startswith(BLANKLESS_NAMES)
