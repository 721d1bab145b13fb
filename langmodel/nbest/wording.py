"""What of a hypothesis's text are words: pieces joined, noises left out."""

import re
from collections.abc import Callable, Collection
from dataclasses import replace

from langmodel.nbest.hypotheses import Hypothesis

PIECE_END = re.compile(r"@@(?: |$)")

PIECE_START = "\u2581"


def _join_bpe(text: str) -> str:
    """subword-nmt's: a piece that ends in @@ goes on in the next."""
    return PIECE_END.sub("", text)


def _join_sentencepiece(text: str) -> str:
    """SentencePiece's: a piece that begins with a word begins with \u2581."""
    return " ".join("".join(text.split()).replace(PIECE_START, " ").split())


JOINS: dict[str, Callable[[str], str]] = {"bpe": _join_bpe, "sentencepiece": _join_sentencepiece}
"""How subword pieces become words again."""


def in_model_words(hypothesis: Hypothesis, join: str | None, noise: Collection[str]) -> Hypothesis:
    """The hypothesis with its text as model and references have it; its line is written as it came."""
    text = hypothesis.text if join is None else JOINS[join](hypothesis.text)
    return replace(hypothesis, text=without_noise(text, noise))


def without_noise(text: str, noise: Collection[str]) -> str:
    return " ".join(word for word in text.split() if word not in noise) if noise else text
