"""The likelihood of a stream of ids under a network: what perplexity is made of."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from langmodel.errors import ConfigError
from langmodel.network.likelihood import perplexity
from langmodel.network.predictor import Predictor
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import DocumentWindows, IdArray, SentenceWindows, Window, Windows
from langmodel.text.vocabulary import UNK_ID

EVALUATION_STEPS = 128
"""Time steps per window when nothing is trained: no result depends on it."""


@dataclass(frozen=True)
class Likelihood:
    """Sums over predicted tokens: words, UNK and END, never START. Natural log."""

    nll: float
    """Σ -log p, nats."""
    tokens: int
    oov_nll: float
    """The part of `nll` that is due to UNK."""
    oov: int

    @property
    def log_prob(self) -> float:
        return -self.nll

    @property
    def loss(self) -> float:
        """Mean nats per token."""
        return self.nll / self.tokens

    @property
    def perplexity(self) -> float:
        return perplexity(self.nll, self.tokens)

    @property
    def perplexity_excluding_oov(self) -> float:
        """Over the tokens that are not UNK; infinite if there are none."""
        known = self.tokens - self.oov
        return perplexity(self.nll - self.oov_nll, known) if known else float("inf")

    def open_vocabulary(self, known: int, size: int) -> float:
        """The perplexity if UNK's probability is shared out equally among the `size` - `known` other words.

        So that a small vocabulary gains nothing by calling words unknown. Raises ConfigError unless there
        are such words.
        """
        return perplexity(self.nll - self.oov * log_share_of_unk(known, size), self.tokens)

    @classmethod
    def of(cls, log_prob_N: npt.NDArray[np.float64], targets_N: IdArray) -> "Likelihood":
        """From the natural-log probability of each target."""
        unknown = targets_N == UNK_ID
        nll, oov_nll = -float(log_prob_N.sum()), -float(log_prob_N[unknown].sum())
        return cls(nll, len(targets_N), oov_nll, int(unknown.sum()))

    def __add__(self, other: "Likelihood") -> "Likelihood":
        return Likelihood(
            self.nll + other.nll,
            self.tokens + other.tokens,
            self.oov_nll + other.oov_nll,
            self.oov + other.oov,
        )


def log_share_of_unk(known: int, size: int) -> float:
    """ln of the part of UNK's probability that each of the `size` - `known` words it stands for gets.

    Raises ConfigError unless there are such words.
    """
    if size <= known:
        raise ConfigError(f"an open vocabulary of {size:,} words must have more than the {known:,} known")
    return -math.log(size - known)


NOTHING = Likelihood(0.0, 0, 0.0, 0)


def evaluation_windows(ids: IdArray, context: str, columns: int, *, rank: int = 0, ranks: int = 1) -> Windows:
    """How a stream is read for evaluation in a context: `document` or `sentence`.

    Of a document, process `rank` out of `ranks` has its own columns.
    """
    if context == "sentence":
        return SentenceWindows(ids, batch_size=columns, bptt=EVALUATION_STEPS, shuffle_seed=None)
    return DocumentWindows(
        ids, batch_size=min(columns, len(ids)), bptt=EVALUATION_STEPS, rank=rank, ranks=ranks
    )


@torch.inference_mode()
def read_document(network: Predictor, ids: IdArray) -> Iterator[tuple[Tensor, Tensor]]:
    """The stream read in one column: what predicts each target, shape (N, O), and the targets, by window."""
    state = network.zero_state(1)
    for window in evaluation_windows(ids, "document", columns=1).epoch(0):
        window = window.to(network.device)
        hidden_T1O, state = network(window.inputs_TB, state)
        yield hidden_T1O[:, 0], window.targets_N


class Interrupted(Exception):
    """An evaluation was asked to stop; nothing of it counts."""


@torch.inference_mode()
def evaluate_windows(
    network: RecurrentLM,
    windows: Windows,
    should_stop: Callable[[], bool] = lambda: False,
) -> Likelihood:
    """One pass over the windows without dropout. Raises Interrupted as soon as `should_stop()`."""
    was_training = network.training
    network.eval()
    try:
        return likelihood_of_windows(network, windows.epoch(0), should_stop)
    finally:
        network.train(was_training)


@torch.inference_mode()
def likelihood_of_windows(
    network: Predictor, windows: Iterator[Window], should_stop: Callable[[], bool] = lambda: False
) -> Likelihood:
    """The same for whatever predicts words and is not being trained."""
    total = torch.zeros(2, dtype=torch.float64, device=network.device)
    tokens = oov = 0
    state = network.zero_state(1)
    for window in windows:
        if should_stop():
            raise Interrupted
        oov += int((window.targets_N == UNK_ID).sum())
        window = window.to(network.device)
        if window.fresh:
            state = network.zero_state(window.inputs_TB.shape[1])
        hidden_TBO, state = network(window.inputs_TB, state)
        nll_N = network.output_layer.token_nll(window.real(hidden_TBO), window.targets_N).double()
        total += torch.stack([nll_N.sum(), nll_N.masked_fill(window.targets_N != UNK_ID, 0.0).sum()])
        tokens += window.tokens
    nll, oov_nll = total.tolist()
    return Likelihood(nll, tokens, oov_nll, oov)
