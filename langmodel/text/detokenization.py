"""The words of NLTK's tokenizer -> readable text."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.tokenize.treebank import TreebankWordDetokenizer

TYPOGRAPHIC = (
    (re.compile(r"(?<=\w) ’ (?=(?:s|t|d|m|re|ve|ll)\b)", re.IGNORECASE), "’"),
    (re.compile(r"(?<=[“‘]) "), ""),
    (re.compile(r" (?=[”’])"), ""),
    (re.compile(r" \(\)"), "()"),
)
"""What the Treebank rules do not know: curly quotes and apostrophes, and the call of a function."""

CONTRACTIONS = frozenset(["'s", "'t", "'d", "'m", "'re", "'ve", "'ll", "'tis", "'twas", "''"])
"""Words that begin with a ' and open no quotation; the tokenizer writes '' for a closing double quote."""


@cache
def _treebank() -> "TreebankWordDetokenizer":
    from nltk.tokenize.treebank import TreebankWordDetokenizer

    return TreebankWordDetokenizer()


def join_treebank_words(words: Sequence[str]) -> str:
    """Readable text: NLTK's own rules, and quotation marks beside what they quote."""
    text = str(_treebank().detokenize(_with_opening_quotes(words)))
    for pattern, replacement in TYPOGRAPHIC:
        text = pattern.sub(replacement, text)
    return text


def _with_opening_quotes(words: Sequence[str]) -> list[str]:
    """The words, with every opening ' at the head of the next; the Treebank rules take all for closing.

    They open and close in turn; if their number is odd, the first one after an s is a possessive.
    """
    joined: list[str] = []
    has_possessive = sum(_is_single_quote(word) for word in words) % 2 == 1
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
    """A ' alone, or one that the tokenizer has left at the head of what is no contraction."""
    return word.startswith("'") and word.lower() not in CONTRACTIONS
