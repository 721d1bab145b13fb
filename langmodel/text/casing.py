"""Case of words: folded, kept, or true-cased: the capital of a sentence's first word may not be its own."""

from collections.abc import Iterable, Mapping, Sequence

CASES = ("lower", "keep", "true")
"""lower: all words are folded. keep: words are as written. true: a capital that only the beginning of a
sentence gives a word is taken off, and put on again in samples (Lita et al. 2003, as Moses does it)."""

INITIAL = "\0"
"""Marks a capitalised first word until it is known how it is written elsewhere. No text has it."""


def first_word(words: Sequence[str]) -> int | None:
    """The place of a sentence's first token with a letter at its head; marks before it are passed over."""
    for place, word in enumerate(words):
        if word[:1].isalpha():
            return place
        if any(map(str.isalnum, word)):
            return None
    return None


def is_capitalised(word: str) -> bool:
    """Whether a word has a capital and, beside it, nothing that speaks for a name of its own."""
    return word[:1].isupper() and not any(map(str.isupper, word[1:]))


def uncapitalised(word: str) -> str:
    return word[:1].lower() + word[1:]


def capitalised(word: str) -> str:
    return word[:1].upper() + word[1:]


def settled(counts: Mapping[str, int]) -> dict[str, str]:
    """For every word that was marked INITIAL, how it is written from now on: as it mostly is elsewhere.

    A word that was seen nowhere else keeps its capital.
    """
    return {word: _settle(word.removeprefix(INITIAL), counts) for word in counts if word.startswith(INITIAL)}


def _settle(word: str, counts: Mapping[str, int]) -> str:
    lower = uncapitalised(word)
    return lower if counts.get(lower, 0) > counts.get(word, 0) else word


def mostly_lower(words: Iterable[str], counts: Mapping[str, int]) -> tuple[str, ...]:
    """The words that lose a capital at the beginning of a sentence, sorted."""
    return tuple(
        sorted(
            word
            for word in words
            if capitalised(word) != word and counts.get(word, 0) > counts.get(capitalised(word), 0)
        )
    )
