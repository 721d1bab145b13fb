"""A network with n-grams beside it: one model, whose probabilities are mixed word by word.

p(word) = g p_network(word) + (1 - g) p_ngrams(word). The gate g looks at what both know before the word
comes: the network's hidden state, which contexts the n-grams have seen, and how much those leave over.
"""

# T = time, B = batch, N = tokens, O = output width, K = lengths of context, V = vocabulary

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from langmodel.network.cells import State
from langmodel.network.output_layer import Readout
from langmodel.network.predictor import Predictor
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.ngrams.packed import PackedNgrams
from langmodel.text.vocabulary import START_ID


@dataclass(frozen=True, eq=False)
class Gate:
    """The logarithm of the odds of the network: linear in what is known."""

    weight_F: Tensor
    """Of the O numbers that the output layer reads, then of the 2K of the n-grams' contexts."""
    bias: Tensor
    """Shape ()."""

    def log_odds(self, hidden_NO: Tensor, known_NK: Tensor) -> Tensor:
        return torch.cat([hidden_NO, known_NK], dim=1) @ self.weight_F + self.bias

    def to(self, device: torch.device) -> "Gate":
        return Gate(self.weight_F.to(device), self.bias.to(device))


@dataclass(frozen=True, eq=False)
class NgramPart:
    """What a model has beside its network."""

    ngrams: PackedNgrams
    gate: Gate

    def to(self, device: torch.device) -> "NgramPart":
        return NgramPart(self.ngrams.to(device), self.gate.to(device))


@dataclass(frozen=True, eq=False)
class MixedReadout(Readout):
    """It reads the network's O numbers, then the K numbers of the contexts, as float32."""

    layer: Readout
    part: NgramPart

    @property
    def vocabulary_size(self) -> int:
        return self.layer.vocabulary_size

    @property
    def width(self) -> int:
        return self.layer.width

    def hidden(self, read_NR: Tensor) -> Tensor:
        return self.parted(read_NR)[0]

    def parted(self, read_NR: Tensor) -> tuple[Tensor, Tensor]:
        """What the network left, shape (N, O), and the contexts, shape (N, K)."""
        return read_NR[:, : self.width], read_NR[:, self.width :].long()

    def _log_shares(self, hidden_NO: Tensor, contexts_NK: Tensor) -> tuple[Tensor, Tensor]:
        odds_N = self.part.gate.log_odds(hidden_NO, self.part.ngrams.known(contexts_NK))
        return F.logsigmoid(odds_N), F.logsigmoid(-odds_N)

    def logits(self, read_NR: Tensor) -> Tensor:
        """Here these are normalised."""
        hidden_NO, contexts_NK = self.parted(read_NR)
        network_N, ngrams_N = self._log_shares(hidden_NO, contexts_NK)
        probability_NV = torch.softmax(self.layer.logits(hidden_NO), 1).mul_(network_N.exp().unsqueeze(1))
        probability_NV += self.part.ngrams.distribution(contexts_NK).mul_(ngrams_N.exp().unsqueeze(1))
        probability_NV[:, START_ID] = 0.0
        return probability_NV.log_()

    def token_nll(self, read_NR: Tensor, targets_N: Tensor) -> Tensor:
        hidden_NO, contexts_NK = self.parted(read_NR)
        network_N, ngrams_N = self._log_shares(hidden_NO, contexts_NK)
        network_N = network_N - self.layer.token_nll(hidden_NO, targets_N)
        ngrams_N = ngrams_N + self.part.ngrams.probabilities(contexts_NK, targets_N).log()
        return -torch.logaddexp(network_N, ngrams_N)


class Mixture:
    """A predictor like the network, with the contexts as one more layer of its state."""

    def __init__(self, network: RecurrentLM, part: NgramPart) -> None:
        self.network = network
        self.part = part
        self._ngrams = part.ngrams

    @property
    def device(self) -> torch.device:
        return self.network.device

    @property
    def output_layer(self) -> MixedReadout:
        return MixedReadout(self.network.output_layer, self.part)

    def zero_state(self, batch_size: int) -> State:
        return (*self.network.zero_state(batch_size), (self._ngrams.no_context(batch_size),))

    def __call__(self, inputs_TB: Tensor, state: State) -> tuple[Tensor, State]:
        *layers, (before_BK,) = state
        hidden_TBO, after = self.network(inputs_TB, tuple(layers))
        contexts_TBK = self._ngrams.contexts(inputs_TB, before_BK)
        read_TBR = torch.cat([hidden_TBO, contexts_TBK.to(hidden_TBO.dtype)], dim=2)
        return read_TBR, (*after, (contexts_TBK[-1],))

    def unread(self) -> Tensor:
        hidden_1O, contexts_1K = self.network.unread(), self._ngrams.no_context(1)
        return torch.cat([hidden_1O, contexts_1K.to(hidden_1O.dtype)], dim=1)

    def read(self, ids: Sequence[int]) -> tuple[Tensor, State]:
        inputs_T1 = torch.tensor([START_ID, *ids], device=self.device).unsqueeze(1)
        read_T1R, state = self(inputs_T1, self.zero_state(1))
        return read_T1R[-1], state


def predictor_of(network: RecurrentLM, part: NgramPart | None) -> Predictor:
    """The network, mixed with its n-grams if it has any."""
    return network if part is None else Mixture(network, part)
