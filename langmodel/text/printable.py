"""Text from elsewhere for a person's eyes: no character moves a cursor, hides or turns what follows."""

import unicodedata

UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
"""Categories of characters that are written as escapes: controls, direction marks, line separators."""

JOINERS = frozenset("\u200c\u200d")
"""Parts of words in Persian, Hindi and emoji, although one does not see them."""


def printable(text: str) -> str:
    """The text on one line, with an escape in place of every character that is not seen."""
    if text.isprintable():
        return text
    return "".join(character if _is_seen(character) else _escaped(character) for character in text)


def _is_seen(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character) not in UNSEEN


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
