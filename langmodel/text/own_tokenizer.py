"""A tokenizer of the user's own: `module:function`, a function from a sentence to its words.

That is code, and a model file only names it. It is imported when the user names the same function in the
environment, and never because a file says so.
"""

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from langmodel.errors import ConfigError

TRUSTED = "LANGMODEL_TOKENIZER"
"""The environment variable that names the one function that may be imported."""


class OwnTokenizer:
    """Imports the function on its first sentence. Words are put together with blanks."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._function: Callable[[str], Sequence[str]] | None = None

    def tokenize(self, sentence: str) -> list[str]:
        if self._function is None:
            self._function = _imported(self._name)
        words: Any = self._function(sentence)
        if not isinstance(words, list | tuple) or any(type(word) is not str for word in words):
            raise ConfigError(f"tokenizer {self._name}: must give a list of words, gave {str(words)[:60]!r}")
        return [word for word in words if word.strip()]

    def detokenize(self, words: Sequence[str]) -> str:
        return " ".join(words)


def is_own(name: str) -> bool:
    """Whether a name has the form `module:function`."""
    module, colon, function = name.partition(":")
    return bool(colon) and function.isidentifier() and all(map(str.isidentifier, module.split(".")))


def code_of(name: str) -> bytes:
    """The source file of the function, if it has one. Raises ConfigError as using it would."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(_imported(name)))
    except TypeError:  # it is not written in Python
        file = None
    return b"" if file is None else Path(file).read_bytes()


def _imported(name: str) -> Callable[[str], Sequence[str]]:
    if os.environ.get(TRUSTED) != name:
        raise ConfigError(
            f"tokenizer {name} is a function, which is code; if you trust it, set {TRUSTED}={name}"
        )
    module, _, function = name.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Callable[[str], Sequence[str]] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"tokenizer {name}: cannot be imported ({error})") from None
    return found
