"""The words of NLTK's tokenizer -> readable text.

NLTK's own rules join again what the Treebank tokenizer has cut. They take every ' for a closing one,
and know nothing of curly quotes, of dashes and of the brackets of a call: that is done here.
"""

import re
from collections.abc import Sequence
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.tokenize.treebank import TreebankWordDetokenizer

CONTRACTED = frozenset(["s", "t", "d", "m", "re", "ve", "ll"])
"""What follows an apostrophe at the end of a word: it's, they're."""

ELIDED = frozenset(["o", "d", "l"])
"""What stands before one at the head of a word: o'clock, d'Artagnan."""

CLIPPED = re.compile(r"tis|twas|em|til|cause|\d+s", re.IGNORECASE)
"""Words that have lost their head to one: 'tis, the '90s."""

SPACING = (
    (re.compile(r"(?<=[“‘]) "), ""),
    (re.compile(r" (?=”|’(?!\w))"), ""),
    (re.compile(r"(?<=\w) \(\)"), "()"),
    (re.compile(r" ?— ?"), "—"),
    (re.compile(r"(?<=\w) --(?=\")"), "--"),
    (re.compile(r"(?<=\w) ?\.\.\."), "..."),
    (re.compile(r"(?<=\w\.\.\.)(?=\w)"), " "),
)
"""After NLTK's rules: quotes beside what they quote, no blanks about a dash, one after an ellipsis."""


@cache
def _treebank() -> "TreebankWordDetokenizer":
    from nltk.tokenize.treebank import TreebankWordDetokenizer

    return TreebankWordDetokenizer()


def join_treebank_words(words: Sequence[str]) -> str:
    """Readable text."""
    text = str(_treebank().detokenize(_with_quotes(_with_apostrophes(words))))
    for pattern, replacement in SPACING:
        text = pattern.sub(replacement, text)
    return text


def _with_apostrophes(words: Sequence[str]) -> list[str]:
    """The words, with every ’ that is an apostrophe inside its word; the others close a quotation."""
    joined: list[str] = []
    is_open = False
    head = ""
    for word, next_word in zip_longest(words, words[1:], fillvalue=""):
        is_open = is_open or word == "‘"
        if word != "’":
            joined.append(head + word)
            head = ""
        elif CLIPPED.fullmatch(next_word):
            head = word
        elif not (joined and joined[-1][-1:].isalpha() and next_word[:1].isalpha()):
            joined.append(word)
            is_open = False
        elif next_word.lower() in CONTRACTED or joined[-1].lower() in ELIDED:
            head = joined.pop() + word
        elif is_open or joined[-1].endswith("s"):  # of several owners: the dogs’ tails
            joined.append(word)
            is_open = False
        else:
            head = joined.pop() + word
    return joined


def _with_quotes(words: Sequence[str]) -> list[str]:
    """The words, with every opening ' at the head of the next.

    They open and close in turn; if their number is odd, the first one after an s is a possessive.
    """
    joined: list[str] = []
    has_possessive = sum(map(_is_single_quote, words)) % 2 == 1
    is_open = False
    head = ""
    for word, next_word in zip_longest(words, words[1:], fillvalue="'"):
        if _is_single_quote(word):
            if has_possessive and joined and joined[-1].endswith(("s", "S")):
                has_possessive = False
            else:
                is_open = not is_open
                if word == "'" and is_open and next_word != "'":
                    head = word
                    continue
        joined.append(head + word)
        head = ""
    return joined


def _is_single_quote(word: str) -> bool:
    """A ' alone, or one that the tokenizer has left at the head of a word that lacks nothing.

    The tokenizer writes '' for a closing double quote.
    """
    tail = word[1:]
    return word[:1] == "'" and tail != "'" and tail.lower() not in CONTRACTED and not CLIPPED.fullmatch(tail)
