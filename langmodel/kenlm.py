"""A drop-in for the `kenlm` package: the same names, log10 everywhere, a recurrent network underneath.

    import langmodel.kenlm as kenlm
    model = kenlm.Model("checkpoints/demo")
    model.score("this is a sentence .")

Text is str, or bytes in UTF-8; sentences are split at ASCII blanks alone, as KenLM does. What differs,
because a network remembers the whole sentence: `order` has no meaning and is the largest number, an n-gram
length is that of the whole history with <s>, and a state without <s> (a new `State`, `bos=False`,
`NullContextWrite`) is the zero state, which no training has seen. <s> in the middle of a sentence begins
another one and costs nothing, as in KenLM's own models.
"""

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import total_ordering
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import langmodel.network.cells as cells
from langmodel.errors import LangModelError
from langmodel.inference.language_model import load
from langmodel.inference.wording import END_TEXT
from langmodel.network.likelihood import perplexity
from langmodel.storage.model_file import model_path
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

LN_10 = math.log(10)

MAX_ORDER = 2**31 - 1

BEGIN_TEXT = "<s>"

BLANKS = re.compile("[\\0\\t\\n\\v\\f\\r ]+")
"""What stands between words for KenLM."""

Text = str | bytes


class LoadMethod(IntEnum):
    """How KenLM maps a file into memory; no matter here."""

    LAZY = 0
    POPULATE_OR_LAZY = 1
    POPULATE_OR_READ = 2
    READ = 3
    PARALLEL_READ = 4


class ARPALoadComplain(IntEnum):
    """What KenLM says of an ARPA file; no matter here."""

    ALL = 0
    EXPENSIVE = 1
    NONE = 2


@dataclass
class Config:
    """Taken where KenLM takes it, and without effect: a network is loaded in one way."""

    load_method: LoadMethod = LoadMethod.POPULATE_OR_READ
    show_progress: bool = True
    arpa_complain: ARPALoadComplain = ARPALoadComplain.ALL


def _text(text: Text) -> str:
    """Bytes that are no UTF-8 make an unknown word. Raises TypeError for what is no text."""
    if isinstance(text, bytes):
        return text.decode(errors="replace")
    if not isinstance(text, str):
        raise TypeError(f"Cannot convert {type(text)} to string")
    return text


def _words(sentence: Text) -> list[str]:
    return [word for word in BLANKS.split(_text(sentence)) if word]


class FullScoreReturn(NamedTuple):
    """What `BaseFullScore` returns."""

    log_prob: float
    """Base 10."""
    ngram_length: int
    oov: bool


@total_ordering
class State:
    """Where a sentence stands; a new one has read nothing, not even <s>.

    States are ordered, hashed and copied by what they hold.
    """

    def __init__(self) -> None:
        self._network: cells.State = ()
        self._output_1O: Tensor | None = None
        self._length = 0

    def _set(self, network: cells.State, output_1O: Tensor, length: int) -> None:
        self._network, self._output_1O, self._length = network, output_1O, length

    def _key(self) -> tuple[object, ...]:
        parts = [part for layer in self._network for part in layer]
        if self._output_1O is not None:
            parts.append(self._output_1O)
        return (self._length, *(part.cpu().numpy().tobytes() for part in parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __lt__(self, other: object) -> bool:
        return self._key() < other._key() if isinstance(other, State) else NotImplemented

    def __copy__(self) -> "State":
        copy = State()
        copy._network, copy._output_1O, copy._length = self._network, self._output_1O, self._length
        return copy

    def __deepcopy__(self, memo: dict[int, object] | None = None) -> "State":
        return self.__copy__()  # tensors are never changed in place


class Model:
    """A trained model behind the methods of `kenlm.Model`. `path` is a run directory or a model file; the
    attribute is the file's, absolute, as bytes.

    Raises OSError for a path that holds no model, as KenLM does.
    """

    def __init__(self, path: Text | Path, config: Config = Config()) -> None:
        given = Path(path if isinstance(path, Path) else _text(path))
        try:
            self._lm = load(given)
            self.path = os.fsencode(model_path(given).absolute())
        except LangModelError as error:
            raise OSError(f"Cannot read model '{given}' ({error})") from error

    @property
    def order(self) -> int:
        """The whole history counts."""
        return MAX_ORDER

    def __contains__(self, word: Text) -> bool:
        return _text(word) == BEGIN_TEXT or self._id(_text(word)) != UNK_ID

    def _id(self, word: str) -> int:
        return END_ID if word == END_TEXT else self._lm.pipeline.encode([word], self._lm.vocabulary)[0]

    @torch.inference_mode()
    def _read(self, id: int, state: cells.State, length: int, out: State) -> None:
        hidden_11O, after = self._lm.predictor(torch.tensor([[id]], device=self._lm.predictor.device), state)
        out._set(after, hidden_11O[0], length)

    def BeginSentenceWrite(self, state: State) -> None:
        """Make `state` the one after <s>."""
        self._read(START_ID, self._lm.predictor.zero_state(1), 1, state)

    def NullContextWrite(self, state: State) -> None:
        """Make `state` the one in which nothing has been read, not even <s>."""
        predictor = self._lm.predictor
        state._set(predictor.zero_state(1), predictor.unread(), 0)

    @torch.inference_mode()
    def BaseFullScore(self, in_state: State, word: Text, out_state: State) -> FullScoreReturn:
        """log10 p(word | in_state), the length of the n-gram it ends, and whether it is unknown.

        `out_state` becomes the state after the word; after </s> that is the beginning of a sentence.
        """
        text = _text(word)
        if text == BEGIN_TEXT:
            self.BeginSentenceWrite(out_state)
            return FullScoreReturn(0.0, 1, False)
        if in_state._output_1O is None:
            fresh = State()
            self.NullContextWrite(fresh)
            in_state = fresh
        assert in_state._output_1O is not None
        id = self._id(text)
        log_probs_1V = self._lm.predictor.output_layer.log_probabilities(in_state._output_1O)
        length = in_state._length + 1
        result = FullScoreReturn(log_probs_1V[0, id].item() / LN_10, length, id == UNK_ID)
        if id == END_ID:
            self.BeginSentenceWrite(out_state)
        else:
            self._read(id, in_state._network, length, out_state)
        return result

    def BaseScore(self, in_state: State, word: Text, out_state: State) -> float:
        """log10 p(word | in_state); `out_state` becomes the state after the word."""
        return self.BaseFullScore(in_state, word, out_state).log_prob

    def full_scores(self, sentence: Text, bos: bool = True, eos: bool = True) -> Iterator[FullScoreReturn]:
        """(log10 p, n-gram length, unknown) of every word, and of </s> with `eos`."""
        state = State()
        (self.BeginSentenceWrite if bos else self.NullContextWrite)(state)
        for word in [*_words(sentence), *([END_TEXT] if eos else [])]:
            yield self.BaseFullScore(state, word, state)

    def score(self, sentence: Text, bos: bool = True, eos: bool = True) -> float:
        """log10 p of the sentence: given <s> with `bos`, </s> included with `eos`."""
        return math.fsum(log_prob for log_prob, _, _ in self.full_scores(sentence, bos, eos))

    def perplexity(self, sentence: Text) -> float:
        """10 ** (-score / (words + 1)); unknown words count as <unk>."""
        return perplexity(-self.score(sentence) * LN_10, len(_words(sentence)) + 1)

    def __repr__(self) -> str:
        return f"<Model from {os.fsencode(Path(os.fsdecode(self.path)).name)!r}>"


LanguageModel = Model
