"""Words of European languages with elisions: l' été, dell' amico, qu' il; and back.

The words are NLTK's ToktokTokenizer's (Dehdari 2014), which knows no language's word lists; NLTK has nothing
that joins them again, which is done here.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.tokenize.toktok import ToktokTokenizer as NltkToktok

ENTITY = re.compile(r"&(#?\w{1,12});")
"""As old web pages write a letter: da&szlig;. Its semicolon ends no clause."""

PROTECTED = "\ue000"
"""Stands for that semicolon meanwhile; a private character, which no text has a use for."""

APOSTROPHES = frozenset("'’")

UNESCAPED = (("&amp;", "&"), ("&#124;", "|"), ("&#9;", " "))
"""What Toktok writes for characters that its own file format needs."""

OPENERS = frozenset("([{“‘„‚«‹「『¿¡$£€")
CLOSERS = frozenset(")]}”»›」』,.;:!?%…°،؛؟।॥")

OPENING_QUOTE, CLOSING_QUOTE, OPENING_SINGLE = "``", "''", "`"
"""How straight quotation marks are written, as by NLTK's other tokenizer: so no one has to guess again."""

SHOWN = {OPENING_QUOTE: '"', CLOSING_QUOTE: '"', OPENING_SINGLE: "'"}

CHUNK = re.compile(r"\S+")

ENDS = re.compile(r"[.!?…]+")


class ToktokTokenizer:
    """Marks stand alone; an apostrophe stays with what it cuts short."""

    @cached_property
    def _nltk(self) -> "NltkToktok":
        from nltk.tokenize.toktok import ToktokTokenizer as NltkToktok

        return NltkToktok()

    def tokenize(self, sentence: str) -> list[str]:
        text = ENTITY.sub(lambda found: f"&{found[1]}{PROTECTED}", " ".join(sentence.split()))
        tokens = str(self._nltk.tokenize(text, return_str=True)).split()
        spans = _spans(text, [_plain(token) for token in tokens])
        return _rejoinable(text, _with_apostrophes(text, spans))

    def detokenize(self, words: Sequence[str]) -> str:
        return join_words(words)


def _plain(token: str) -> str:
    for written, meant in UNESCAPED:
        token = token.replace(written, meant)
    return token


def _spans(text: str, tokens: Sequence[str]) -> list[tuple[int, int]]:
    """Where each token stands; what Toktok has rewritten otherwise is taken as it is written."""
    spans: list[tuple[int, int]] = []
    at = 0
    for token in tokens:
        start = text.find(token, at) if token.strip() else -1
        if start >= 0:
            spans += _left_out(text, at, start)
            at = start + len(token)
            spans.append((start, at))
    return spans + _left_out(text, at, len(text))


def _left_out(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The chunks between two tokens that no token has; hardly ever any."""
    return [(start + found.start(), start + found.end()) for found in CHUNK.finditer(text[start:end])]


def _written(text: str, start: int, end: int) -> str:
    written = text[start:end]
    if written not in ('"', "'"):
        return written.replace(PROTECTED, ";")
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    opens = bool(after.strip()) and (not before.strip() or before in OPENERS or before in "'\"")
    if written == "'":
        return OPENING_SINGLE if opens else written
    return OPENING_QUOTE if opens else CLOSING_QUOTE


def _rejoinable(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """The words, those left whole that would not be put together again as they stand in the text."""
    kept: list[tuple[int, int, str]] = []
    for start, end in spans:
        word = _written(text, start, end)
        while kept and kept[-1][1] == start and not _touch(kept[-1][2], word, kept):
            start = kept.pop()[0]
            word = text[start:end].replace(PROTECTED, ";")
        kept.append((start, end, word))
    return [word for _, _, word in kept]


def _touch(before: str, word: str, kept: Sequence[tuple[int, int, str]]) -> bool:
    """Whether no blank is put between two words."""
    words = [entry[2] for entry in kept]
    return _sides(before, words, len(words) - 1)[0] or _sides(word, [*words, word], len(words))[1]


def _with_apostrophes(text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans, with every apostrophe between two letters joined to the first."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        is_elision = (
            text[start:end] in APOSTROPHES
            and joined
            and joined[-1][1] == start
            and text[start - 1].isalpha()
            and text[end : end + 1].isalpha()
        )
        if is_elision:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def join_words(words: Sequence[str]) -> str:
    """Readable text of Toktok's words."""
    text = ""
    sticks = True  # to what comes next, as an opening bracket does
    for place, word in enumerate(words):
        opens, closes = _sides(word, words, place)
        shown = SHOWN.get(word, word)
        text += shown if sticks or closes else f" {shown}"
        sticks = opens
    return text


def _sides(word: str, words: Sequence[str], place: int) -> tuple[bool, bool]:
    """Whether a word sticks to the next one, and to the one before it."""
    if word == "“":
        closes = "„" in words[:place]  # German, Czech …
        return not closes, closes
    if word in (OPENING_QUOTE, OPENING_SINGLE) or word in OPENERS:
        return True, False
    if word == CLOSING_QUOTE or word in APOSTROPHES or word in CLOSERS or ENDS.fullmatch(word):
        return False, True
    return len(word) > 1 and word[-1] in APOSTROPHES and word[-2].isalpha(), False
