"""What a LanguageModel gives back."""

# L = layers, H = units of a layer

import math
from dataclasses import dataclass
from html import escape

import numpy as np
import numpy.typing as npt

from langmodel.inference import heat_map
from langmodel.network.evaluation import Likelihood
from langmodel.network.likelihood import perplexity

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WordScore:
    """One predicted word, as written; the last of a sentence is END."""

    word: str
    log_prob: float
    """Natural log of its probability given what stands before it."""
    oov: bool
    """Outside the vocabulary: the probability is that of UNK."""
    id: int
    """In the vocabulary; 0 is UNK."""
    entropy: float | None = None
    """Of the distribution that predicted the word, nats; None unless asked for."""
    rank: int | None = None
    """1: no word was likelier; None unless asked for."""
    expected: "tuple[NextWord, ...] | None" = None
    """The likeliest words in its place, likeliest first; None unless asked for."""

    @property
    def surprisal(self) -> float:
        """-log2 p, in bits."""
        return -self.log_prob / math.log(2)


@dataclass(frozen=True)
class TextPlace:
    """Where a sentence stands in its text: lines from 1, characters of a line from 0, the end excluded."""

    line: int
    char_start: int
    end_line: int
    char_end: int


@dataclass(frozen=True, repr=False)
class SentenceScore:
    """Probability of a sentence: of its words and of END, given START."""

    text: str
    words: tuple[WordScore, ...]
    """END is the last."""
    place: TextPlace | None = None
    """In the text that it was cut out of, if it was."""

    @property
    def log_prob(self) -> float:
        """Natural log; END counted, START not."""
        return math.fsum(word.log_prob for word in self.words)

    @property
    def tokens(self) -> int:
        """Predicted tokens: the words and END."""
        return len(self.words)

    @property
    def oov(self) -> int:
        return sum(word.oov for word in self.words)

    @property
    def perplexity(self) -> float:
        return perplexity(-self.log_prob, self.tokens)

    def __repr__(self) -> str:
        unknown = f", {self.oov} unknown" if self.oov else ""
        return (
            f"<SentenceScore {shortened(self.text)!r}: log_prob {self.log_prob:.3f}, perplexity "
            f"{self.perplexity:,.2f}, {self.tokens} tokens{unknown}>"
        )

    def _repr_html_(self) -> str:
        return heat_map.fragment([self])

    @property
    def likelihood(self) -> Likelihood:
        oov_nll = -math.fsum(word.log_prob for word in self.words if word.oov)
        return Likelihood(-self.log_prob, self.tokens, oov_nll, self.oov)


@dataclass(frozen=True, repr=False)
class SampledSentence:
    """A drawn sentence; `str()` of it is readable text."""

    words: tuple[str, ...]
    text: str
    """The words put together as prose."""
    log_prob: float
    """Natural-log probability of the drawn words and END, given the prefix, before any renormalisation."""
    log_kept: float
    """Σ log(1 - p(UNK)) over the steps, natural log."""
    finished: bool
    """False: cut off at the maximal length."""
    filled: tuple[int, ...] = ()
    """Places, from 0, of words that stand for UNK: rare words of the corpus. To the model they were UNK."""
    has_unk: bool = False
    """Whether UNK is among the drawn words, filled or not."""
    longest_copied_run: int | None = None
    """Most words in a row, the prefix included, that stand so in the training text; None: not asked for."""

    @property
    def log_prob_without_unk(self) -> float:
        """Natural-log probability under the model that is renormalised without UNK at each step.

        -inf for a sentence that has UNK.
        """
        return -math.inf if self.has_unk else self.log_prob - self.log_kept

    @property
    def unk_mass(self) -> float:
        """The probability that ruling out UNK removed along this sentence: 1 - Π (1 - p(UNK))."""
        return -math.expm1(self.log_kept)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<SampledSentence {self.text!r}: log_prob {self.log_prob:.3f}>"


class Samples(list[SampledSentence]):
    """A list of drawn sentences that a notebook shows as a list."""

    def _repr_html_(self) -> str:
        return "<ol>" + "".join(f"<li>{escape(sentence.text)}</li>" for sentence in self) + "</ol>"


class Scores(list[SentenceScore]):
    """A list of scores that a notebook shows as one heat map."""

    def _repr_html_(self) -> str:
        return heat_map.fragment(self)


def shortened(text: str, most: int = 40) -> str:
    """The beginning of a long text."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True, repr=False)
class NextWord:
    """A word that may come next. END reads `</s>`, UNK `<unk>`."""

    word: str
    log_prob: float
    """Natural log."""

    @property
    def probability(self) -> float:
        return math.exp(self.log_prob)

    def __repr__(self) -> str:
        return f"<NextWord {self.word!r}: {self.probability:.4f}>"


@dataclass(frozen=True)
class HiddenStates:
    """What the recurrent layers hold while a sentence is read (L layers, H units each, float32)."""

    words: tuple[str, ...]
    sequence: Array
    """The hidden state of every layer after each word; shape (words, L, H): Keras's return_sequences."""
    hidden: Array
    """The hidden state of every layer at the end, shape (L, H): Keras's return_state."""
    cell: Array | None
    """An LSTM's cell state of every layer at the end, shape (L, H)."""
