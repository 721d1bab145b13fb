"""A drop-in for the `kenlm` package: the same names, log10 everywhere, a recurrent network underneath.

    import langmodel.kenlm as kenlm
    model = kenlm.Model("checkpoints/demo")
    model.score("this is a sentence .")

Text is str, or bytes in UTF-8; sentences are split at whitespace and never contain <s>. What differs,
because a network remembers the whole sentence: `order` has no meaning and is the largest number, an n-gram
length is that of the whole history with <s>, and a state without <s> (`bos=False`, `NullContextWrite`) is
the zero state, which no training has seen.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import langmodel.network.cells as cells
from langmodel.errors import LangModelError
from langmodel.inference.language_model import load
from langmodel.inference.wording import END_TEXT
from langmodel.network.likelihood import perplexity
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

LN_10 = math.log(10)

MAX_ORDER = 2**31 - 1

BEGIN_TEXT = "<s>"

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
    return text.decode() if isinstance(text, bytes) else text


class FullScoreReturn(NamedTuple):
    """What `BaseFullScore` returns."""

    log_prob: float
    """Base 10."""
    ngram_length: int
    oov: bool


class State:
    """Where a sentence stands; filled by `BeginSentenceWrite`, `NullContextWrite` and the scoring calls."""

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

    def __copy__(self) -> "State":
        copy = State()
        copy._network, copy._output_1O, copy._length = self._network, self._output_1O, self._length
        return copy

    def __deepcopy__(self, memo: dict[int, object]) -> "State":
        return self.__copy__()  # tensors are never changed in place


class Model:
    """A trained model behind the methods of `kenlm.Model`. `path` is a run directory or a model file.

    Raises OSError for a path that holds no model, as KenLM does.
    """

    def __init__(self, path: Text | Path, config: Config = Config()) -> None:
        self.path = str(path) if isinstance(path, Path) else _text(path)
        try:
            self._lm = load(self.path)
        except LangModelError as error:
            raise OSError(f"Cannot read model '{self.path}' ({error})") from error

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
        Raises ValueError for a state that was never written.
        """
        if in_state._output_1O is None:
            raise ValueError("an empty State: call BeginSentenceWrite or NullContextWrite first")
        id = self._id(_text(word))
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

    def full_scores(
        self, sentence: Text, bos: bool = True, eos: bool = True
    ) -> Iterator[tuple[float, int, bool]]:
        """(log10 p, n-gram length, unknown) of every word, and of </s> with `eos`."""
        state = State()
        (self.BeginSentenceWrite if bos else self.NullContextWrite)(state)
        for word in [*_text(sentence).split(), *([END_TEXT] if eos else [])]:
            yield self.BaseFullScore(state, word, state)

    def score(self, sentence: Text, bos: bool = True, eos: bool = True) -> float:
        """log10 p of the sentence: given <s> with `bos`, </s> included with `eos`."""
        return math.fsum(log_prob for log_prob, _, _ in self.full_scores(sentence, bos, eos))

    def perplexity(self, sentence: Text) -> float:
        """10 ** (-score / (words + 1)); unknown words count as <unk>."""
        return perplexity(-self.score(sentence) * LN_10, len(_text(sentence).split()) + 1)

    def __repr__(self) -> str:
        return f"<Model from {Path(self.path).name}>"


LanguageModel = Model
