"""Where the words of a tokenized sentence stand in its text."""

from collections.abc import Sequence

from langmodel.errors import InputError
from langmodel.text.tokenizers import BYTES

REWRITTEN = {"``": ('"', "''", "``"), "''": ('"', "''", "``"), "`": ("'", "`")}
"""What NLTK's tokenizers may have read where they write the key."""


def word_spans(text: str, words: Sequence[str]) -> list[tuple[int, int]]:
    """(start, end) of each word in `text`, in characters, end excluded.

    Words must come from tokenizing `text`: in order, with nothing but whitespace between them. A word
    of whitespace (the character tokenizer's) covers the whole run. The first byte of a character has the
    character's span, its other bytes have an empty one behind it. Raises InputError otherwise.
    """
    spans: list[tuple[int, int]] = []
    at = 0
    more = b""  # bytes of the character before `at` that are still to come
    for word in words:
        start = at
        if more and BYTES.get(word) == more[:1]:
            more = more[1:]
            spans.append((at, at))
            continue
        while start < len(text) and text[start].isspace():
            start += 1
        if word.isspace():
            spans.append((at, start))
            at = start
            continue
        for written in REWRITTEN.get(word, (word,)):
            if text.startswith(written, start):
                at = start + len(written)
                break
        else:
            encoded = text[start : start + 1].encode(errors="replace")
            if BYTES.get(word) == encoded[:1]:
                at, more = start + 1, encoded[1:]
                spans.append((start, at))
                continue
            raise InputError(
                f"{word!r} is not at character {start} of {text[:60]!r}: the model's tokenizer changes the "
                "text, so words cannot be located in it"
            )
        spans.append((start, at))
    return spans


def whitespace_words(text: str, spans: Sequence[tuple[int, int]]) -> list[int]:
    """For each span, the number of the whitespace-delimited word of `text` that it lies in, from 1."""
    numbers: list[int] = []
    number = at = 0
    inside = False
    for start, _ in spans:
        while at <= start and at < len(text):
            if text[at].isspace():
                inside = False
            elif not inside:
                inside = True
                number += 1
            at += 1
        numbers.append(max(1, number))
    return numbers
