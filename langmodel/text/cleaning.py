"""What `--clean NAME` removes from a document: markup and boilerplate that are no part of the text."""

import re
from collections.abc import Callable, Iterable, Iterator

START_OF_BOOK = re.compile(r"\*{3} ?START OF (THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)

END_OF_BOOK = re.compile(r"\*{3} ?END OF (THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)

HEADER_LINES = 1_000
"""A licence's header is over by then, or the document has none."""

PICTURE = re.compile(r"\[Illustration", re.IGNORECASE)

ITALICS = re.compile(r"(?<![A-Za-z0-9_])_+(?=\S)|(?<=\S)_+(?![A-Za-z0-9_])")
"""Underscores around words; those inside a word, as in a name of a program, stay."""

LONGEST_CAPTION_LINES = 30
"""A bracket that is not closed within so many lines is text."""


def without_gutenberg_markup(lines: Iterable[str]) -> Iterator[str]:
    """A book of Project Gutenberg without its licence, `_italics_` and `[Illustration]` notes."""
    for line in _without_pictures(_without_licence(lines)):
        yield ITALICS.sub("", line) if "_" in line else line


def _without_licence(lines: Iterable[str]) -> Iterator[str]:
    """The lines between the two marks; all of them where there are none."""
    walked = iter(lines)
    header: list[str] = []
    for line in walked:
        if START_OF_BOOK.search(line):
            header.clear()
            break
        if END_OF_BOOK.search(line):
            yield from header
            return
        header.append(line)
        if len(header) == HEADER_LINES:
            break
    yield from header
    for line in walked:
        if END_OF_BOOK.search(line):
            return
        yield line


def _without_pictures(lines: Iterable[str]) -> Iterator[str]:
    """What stands outside `[Illustration: …]`, whose caption may run over lines and hold brackets."""
    skipped: list[str] = []
    depth = 0
    for line in lines:
        if not skipped:
            found = PICTURE.search(line)
            if not found:
                yield line
                continue
            before, inside = line[: found.start()], line[found.start() :]
        else:
            before, inside = "", line
        skipped.append(line)
        for at, character in enumerate(inside):
            depth += (character == "[") - (character == "]")
            if depth == 0 and character == "]":
                rest = inside[at + 1 :]
                yield (before.rstrip() + " " + rest.lstrip()).strip() if before.strip() else rest.strip()
                skipped = []
                break
        else:
            if len(skipped) > LONGEST_CAPTION_LINES:
                yield from skipped
                skipped, depth = [], 0
            elif before.strip():
                yield before.rstrip()
    yield from skipped


CLEANERS: dict[str, Callable[[Iterable[str]], Iterator[str]]] = {"gutenberg": without_gutenberg_markup}
"""By the name that `--clean` takes."""
