"""A model's text pipeline as data for JavaScript: NLTK's own rules, as a browser's expressions."""

import re
from collections.abc import Iterable
from typing import Any

from langmodel.errors import ConfigError
from langmodel.text.detokenization import CLIPPED, CONTRACTED, ELIDED, SPACING
from langmodel.text.pipeline import Pipeline
from langmodel.text.tokenizers import CLOSING_MARK, OTHER_CLOSING_MARKS, TOKENIZERS
from langmodel.text.toktok import CLOSERS, ENTITY, OPENERS, SHOWN, UNESCAPED
from langmodel.text.vocabulary import Vocabulary

Rule = tuple[str, str, str]
"""An expression, its flags, and what takes the place of a match."""

WORD, DIGIT = r"\p{L}\p{N}_", r"\p{Nd}"
"""What Python's \\w and \\d mean; JavaScript's know ASCII alone."""

BOUNDARY = f"(?:(?<=[{WORD}])(?![{WORD}])|(?<![{WORD}])(?=[{WORD}]))"

SYNTAX = frozenset("^$\\.*+?()[]{}|/-")
"""What may stand behind a backslash for itself."""

COUNT = re.compile(r"\{\d*,?\d*\}")

PAD: Rule = ("^|$", "gu", " ")

TRIM: Rule = (r"^\s+|\s+$", "gu", "")


def expression(pattern: str) -> tuple[str, str]:
    """The source and the flags that make JavaScript match as Python does. For rules over words, such as
    NLTK's: no groups by name, no assertions about lines.
    """
    flags = "giu" if pattern.startswith("(?i)") else "gu"
    pattern = re.sub(r"\(\?#[^)]*\)", "", pattern.removeprefix("(?i)"))
    source: list[str] = []
    is_class = False
    place = 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 1
            source.append(_escaped(pattern[place], is_class))
        elif character == "+" and source and source[-1] in ("*", "+") and not is_class:
            pass  # possessive, which JavaScript has not: as greedy, it matches the same or more
        elif not is_class and (count := COUNT.match(pattern, place)):
            source.append(count[0])
            place = count.end() - 1
        elif not is_class and character in "{}]":
            source.append(f"\\{character}")
        else:
            is_class = character == "[" or (is_class and character != "]")
            source.append(character)
        place += 1
    return "".join(source), flags


def _escaped(character: str, is_class: bool) -> str:
    if character in "wd":
        meant = WORD if character == "w" else DIGIT
        return meant if is_class else f"[{meant}]"
    if character == "b":
        return BOUNDARY
    if character.isalnum() or (character in SYNTAX and (character != "-" or is_class)):
        return f"\\{character}"
    return character


def _replacement(text: str) -> str:
    text = text.replace("$", "$$")
    text = re.sub(r"\\g<0>", "$&", text)
    return re.sub(r"\\g<(\d)>|\\(\d)", lambda found: f"${found[1] or found[2]}", text)


def _rules(rules: Iterable[tuple[Any, str]]) -> list[Rule]:
    return [(*expression(pattern.pattern), _replacement(text)) for pattern, text in rules]


def _nltk() -> dict[str, Any]:
    from nltk.tokenize.destructive import NLTKWordTokenizer as Splits
    from nltk.tokenize.treebank import TreebankWordDetokenizer as Joins

    contractions = [*Splits.CONTRACTIONS2, *Splits.CONTRACTIONS3]
    split = [
        *_rules([*Splits.STARTING_QUOTES, *Splits.PUNCTUATION, Splits.PARENS_BRACKETS, Splits.DOUBLE_DASHES]),
        PAD,
        *_rules(Splits.ENDING_QUOTES),
        *_rules((pattern, r" \1 \2 ") for pattern in contractions),
    ]
    contracted = [*Joins.CONTRACTIONS3, *Joins.CONTRACTIONS2]
    join = [
        PAD,
        *_rules((pattern, r"\1\2") for pattern in contracted),
        *_rules(Joins.ENDING_QUOTES),
        TRIM,
        *_rules([Joins.DOUBLE_DASHES, *Joins.PARENS_BRACKETS, *Joins.PUNCTUATION, *Joins.STARTING_QUOTES]),
        TRIM,
        *_rules(SPACING),
    ]
    return {
        "split": split,
        "join": join,
        "closing": [CLOSING_MARK, *OTHER_CLOSING_MARKS],
        "contracted": sorted(CONTRACTED),
        "elided": sorted(ELIDED),
        "clipped": expression(CLIPPED.pattern)[0],
    }


def _toktok() -> dict[str, Any]:
    from nltk.tokenize.toktok import ToktokTokenizer

    return {
        "split": _rules(ToktokTokenizer.TOKTOK_REGEXES),
        "entity": expression(ENTITY.pattern)[0],
        "unescaped": UNESCAPED,
        "shown": SHOWN,
        "openers": "".join(sorted(OPENERS)),
        "closers": "".join(sorted(CLOSERS)),
    }


RULES = {"nltk": _nltk, "toktok": _toktok}
"""Tokenizers that have rules; what the page does for the others needs none."""


def pipeline_data(pipeline: Pipeline, vocabulary: Vocabulary) -> dict[str, Any]:
    """What the page needs to read and to write as the pipeline does. No word outside the vocabulary is in it.

    Raises ConfigError for a tokenizer of the user's own, which is code.
    """
    if pipeline.tokenizer not in TOKENIZERS:
        raise ConfigError(f"tokenizer {pipeline.tokenizer} is Python code; a page cannot run it")
    return {
        "tokenizer": pipeline.tokenizer,
        "sentences": pipeline.sentences,
        "case": pipeline.case,
        "lowered": [word for word in pipeline.lowered if word in vocabulary],
        "unk_token": pipeline.unk_token,
        **RULES.get(pipeline.tokenizer, dict)(),
    }
