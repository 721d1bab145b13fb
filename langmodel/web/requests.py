"""What the API's calls take: one table, which checks a request's body and describes itself at /api."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, NoReturn

from langmodel.errors import ConfigError
from langmodel.inference.settings import MAX_SEED, SamplingSettings

MAX_BODY = 65_536
"""Bytes of a request."""

MAX_CHARACTERS = 20_000
"""Of a text."""

MAX_NAMES = 50
"""Words to have, to leave out, or that a sentence begins with."""

MAX_DRAWN_WORDS = 20_000
"""Sentences, times sentences in a row, times their maximal length."""

MAX_DEPTH = 8
"""Brackets inside brackets."""


class BadRequest(ConfigError):
    """A body that cannot be used."""


@dataclass(frozen=True)
class Field:
    """One member of a request."""

    type: type
    help: str
    default: Any = None
    most: float | None = None
    """Of a number; of a text, its characters; of a list, its entries."""

    def described(self) -> dict[str, Any]:
        name = {
            str: "text",
            int: "whole number",
            float: "number",
            bool: "true or false",
            list: "list of words",
        }
        described = {"type": name[self.type], "default": self.default, "help": self.help}
        return described if self.most is None else {**described, "most": self.most}

    def checked(self, name: str, value: Any) -> Any:
        """The value, of the field's own type. Raises BadRequest."""
        if self.type is list:
            if not isinstance(value, list) or not all(type(word) is str for word in value):
                raise BadRequest(f"{name} must be a list of words, got {_shown(value)}")
        elif self.type is float and type(value) is int:
            try:
                value = float(value)
            except OverflowError:
                raise BadRequest(f"{name} is out of range") from None
        elif type(value) is not self.type:
            raise BadRequest(f"{name} must be a {self.described()['type']}, got {_shown(value)}")
        if self.most is not None:
            size = len(value) if isinstance(value, str | list) else value
            if size > self.most:
                raise BadRequest(f"{name} must be at most {self.most:,}, got {_shown(size)}")
        _refuse_surrogates(name, value)
        return value


def _shown(value: Any) -> str:
    shown = (
        json.dumps(value) if not isinstance(value, int) else hex(value) if abs(value) > 2**64 else str(value)
    )
    return shown if len(shown) <= 40 else f"{shown[:40]}…"


def _refuse_surrogates(name: str, value: Any) -> None:
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str):
            try:
                text.encode()
            except UnicodeEncodeError:
                raise BadRequest(f"{name} holds half of a surrogate pair; send Unicode text") from None


MODEL = Field(str, "name of a model, as in /api/models; the first if left out", "")
TEXT = Field(str, "the text", "", MAX_CHARACTERS)

MOST = {"max_length": 500, "min_length": 500, "length": 500, "sentences": 50, "top_k": 2**24}
"""Of the sampling settings, what a server lets a stranger ask for."""

CALLS: Mapping[str, Mapping[str, Field]] = {
    "score": {
        "model": MODEL,
        "text": TEXT,
        "sentences": Field(
            str, "line: a sentence per line; own: split as the model's corpus was", "line", MAX_CHARACTERS
        ),
    },
    "next": {
        "model": MODEL,
        "text": Field(str, "the beginning of a sentence", "", MAX_CHARACTERS),
        "words": Field(list, "the same, already tokenized, in place of text", None, MAX_CHARACTERS),
        "k": Field(int, "how many words", 10, 1_000),
        "complete": Field(
            bool, "whether to complete the last word of text, unless text ends with a space", False
        ),
    },
    "sample": {
        "model": MODEL,
        "n": Field(int, "how many sentences", 1, 100),
        "seed": Field(int, "the same seed draws the same sentences", None, MAX_SEED),
        "prefix": Field(str, "text that each begins with", "", MAX_CHARACTERS),
        "include": Field(list, "words that each must contain", [], MAX_NAMES),
        "ban": Field(list, "words that none may contain", [], MAX_NAMES),
        **{
            field.name: Field(
                type(field.default),
                f"as --{field.name.replace('_', '-')} of langmodel sample",
                field.default,
                MOST.get(field.name, 100 if field.name == "unk" else None),
            )
            for field in fields(SamplingSettings)
        },
    },
}


def read_request(call: str, body: bytes) -> dict[str, Any]:
    """Every field of a call: what the body has, or its default. Raises BadRequest."""
    document = _read_json(body)
    if not isinstance(document, dict):
        raise BadRequest("send a JSON object")
    known = CALLS[call]
    for name in document:
        if name not in known:
            near = get_close_matches(name[:100], known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
            raise BadRequest(f"unknown field {_shown(name)}; {hint}")
    return {
        name: field.checked(name, document[name]) if document.get(name) is not None else field.default
        for name, field in known.items()
    }


def _read_json(body: bytes) -> Any:
    try:
        text = body.decode()
        if _depth(text) > MAX_DEPTH:
            raise BadRequest(f"brackets are nested more than {MAX_DEPTH} deep")
        return json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise BadRequest("the body is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON ({str(error)[:80]})") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _depth(text: str) -> int:
    """How deep brackets are nested; those inside of text are not counted."""
    deepest = depth = 0
    inside = escaped = False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest
