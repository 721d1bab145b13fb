"""From what a network leaves at each step to probabilities of the next word.

Log-probabilities are natural (nats). START has no probability: it is masked before every softmax, so
that the words, UNK and END sum to one. Sums over tokens are float64.
"""

# N = tokens, R = what a network leaves to be read, O = output width, V = vocabulary

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from langmodel.network.products import product
from langmodel.text.vocabulary import START_ID

CHUNK_ELEMENTS = 8 * 2**20
"""Logits held at once on a CPU: a chunk of rows that stays in the last-level cache."""

CHUNK_ELEMENTS_GPU = 2**28

LEAST_ROWS = 256
"""Of a chunk, even with many words, up to MOST_ELEMENTS: each adds a gradient as large as the weight."""

MOST_ELEMENTS = 2**26

SMALL_PROBABILITY = 1e-30
"""Below this, float32 nears its end, and -log p is computed from the logits."""


class Readout(ABC):
    """Probabilities of the next word, from what is left to be read at each step. Carries no gradient."""

    @property
    @abstractmethod
    def vocabulary_size(self) -> int: ...

    @property
    @abstractmethod
    def width(self) -> int:
        """How many numbers of what it reads are the network's: O."""

    @abstractmethod
    def logits(self, read_NR: Tensor) -> Tensor:
        """Unnormalised log-probabilities, shape (N, V), START at -inf."""

    @abstractmethod
    def hidden(self, read_NR: Tensor) -> Tensor:
        """The network's part of it, shape (N, O)."""

    def token_nll(self, read_NR: Tensor, targets_N: Tensor) -> Tensor:
        """-log p of each target in nats, shape (N,), in chunks of rows."""
        nll_N = read_NR.new_empty(read_NR.shape[0])
        for chunk in self.chunks(read_NR):
            log_probs_NV = self.log_probabilities(read_NR[chunk])
            nll_N[chunk] = -log_probs_NV.gather(1, targets_N[chunk].unsqueeze(1)).squeeze(1)
        return nll_N

    def log_probabilities(self, read_NR: Tensor) -> Tensor:
        """Natural-log probabilities of every next word, shape (N, V)."""
        return torch.log_softmax(self.logits(read_NR), dim=1)

    def chunks(self, read_NR: Tensor) -> Iterator[slice]:
        """Rows whose logits are held together, as equal in number as they can be."""
        N = read_NR.shape[0]
        limit = CHUNK_ELEMENTS if read_NR.device.type == "cpu" else CHUNK_ELEMENTS_GPU
        limit = max(limit, min(LEAST_ROWS * self.vocabulary_size, MOST_ELEMENTS))
        chunks = max(1, math.ceil(N * self.vocabulary_size / limit))
        rows = max(1, math.ceil(N / chunks))
        return (slice(start, start + rows) for start in range(0, N, rows))

    def token_details(self, read_NR: Tensor, targets_N: Tensor) -> Tensor:
        """-log p of each target, the entropy of the distribution that predicted it, and its rank.

        Shape (N, 3). Nats; rank 1 is the likeliest word, and words of equal probability share the better
        rank. In chunks of rows.
        """
        details_N3 = read_NR.new_empty(read_NR.shape[0], 3)
        for chunk in self.chunks(read_NR):
            logits_NV = self.logits(read_NR[chunk])
            targets_N1 = targets_N[chunk].unsqueeze(1)
            rank_N = (logits_NV > logits_NV.gather(1, targets_N1)).sum(1) + 1
            log_probs_NV = torch.log_softmax(logits_NV, 1)
            nll_N = -log_probs_NV.gather(1, targets_N1).squeeze(1)
            log_probs_NV[:, START_ID] = 0.0  # its probability is 0: no share in the entropy
            entropy_N = -(torch.softmax(logits_NV, 1) * log_probs_NV).sum(1)
            details_N3[chunk] = torch.stack([nll_N, entropy_N, rank_N.to(nll_N.dtype)], dim=1)
        return details_N3

    def expected_words(self, read_NR: Tensor, most: int) -> tuple[Tensor, Tensor]:
        """The ids of the `most` likeliest words, likeliest first, and their log-probabilities.

        Each (N, most). In chunks of rows.
        """
        parts = [self.log_probabilities(read_NR[chunk]).topk(most, dim=1) for chunk in self.chunks(read_NR)]
        return torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts])

    def temperature_moments(self, read_NR: Tensor, targets_N: Tensor, beta: float) -> Tensor:
        """Σ -log p of the targets under softmax(beta · logits), and its first and second derivative by beta.

        float64, shape (3,). They are Σ E[z] - z_target and Σ Var[z], z the logits: the loss is convex in
        beta.
        """
        moments = torch.zeros(3, dtype=torch.float64, device=read_NR.device)
        for chunk in self.chunks(read_NR):
            logits_NV = self.logits(read_NR[chunk])
            targets_N1 = targets_N[chunk].unsqueeze(1)
            aimed_N1 = logits_NV.gather(1, targets_N1)
            log_probs_NV = torch.log_softmax(logits_NV * beta, 1)
            nll_N = -log_probs_NV.gather(1, targets_N1)
            probabilities_NV = torch.softmax(log_probs_NV, 1)
            logits_NV[:, START_ID] = 0.0  # its probability is 0
            mean_N1 = (probabilities_NV * logits_NV).sum(1, keepdim=True)
            variance_N1 = (probabilities_NV * (logits_NV - mean_N1).square()).sum(1, keepdim=True)
            parts = (nll_N, mean_N1 - aimed_N1, variance_N1)
            moments += torch.stack([part.sum(dtype=torch.float64) for part in parts])
        return moments


class NetworkReadout(Readout):
    """A readout of the network alone, which can be trained. It reads a hidden vector of O numbers."""

    def hidden(self, read_NR: Tensor) -> Tensor:
        return read_NR

    @abstractmethod
    def nll_sum(self, hidden_NO: Tensor, targets_N: Tensor) -> Tensor:
        """Σ -log p(target) in nats, a float64 scalar with gradient. Divide by the tokens once, outside."""

    @abstractmethod
    def in_bfloat16(self) -> "NetworkReadout":
        """The same for training, where its products may be of bfloat16."""

    @abstractmethod
    def tempered(self, temperature: float) -> Readout:
        """The softmax of its logits / temperature."""


@dataclass(frozen=True, eq=False)
class OutputLayer(NetworkReadout):
    """A softmax over the words."""

    weight_VO: Tensor
    bias_V: Tensor | None
    masked: int | None = START_ID
    """The row without a probability."""
    bfloat16: bool = False
    """Whether the factors of large products are rounded to it."""

    @property
    def vocabulary_size(self) -> int:
        return len(self.weight_VO)

    @property
    def width(self) -> int:
        return self.weight_VO.shape[1]

    def logits(self, read_NR: Tensor) -> Tensor:
        logits_NV = product(read_NR, self.weight_VO, self.bias_V, bfloat16=self.bfloat16)
        if self.masked is not None:
            logits_NV[:, self.masked] = -torch.inf
        return logits_NV

    def in_bfloat16(self) -> "OutputLayer":
        return replace(self, bfloat16=True)

    def tempered(self, temperature: float) -> "OutputLayer":
        bias_V = None if self.bias_V is None else self.bias_V / temperature
        return OutputLayer(self.weight_VO / temperature, bias_V, self.masked)

    def token_nll(self, read_NR: Tensor, targets_N: Tensor) -> Tensor:
        nll_N = read_NR.new_empty(read_NR.shape[0])
        for chunk in self.chunks(read_NR):
            _, nll_N[chunk] = self._softmax_and_nll(read_NR[chunk], targets_N[chunk].unsqueeze(1))
        return nll_N

    def nll_sum(self, hidden_NO: Tensor, targets_N: Tensor) -> Tensor:
        total: Tensor = _NLLSum.apply(  # type: ignore[no-untyped-call]
            hidden_NO, self.weight_VO, self.bias_V, targets_N, self.masked, self.bfloat16
        )
        return total

    def nll_sum_among(
        self, hidden_NO: Tensor, targets_N: Tensor, ids_S: Tensor, log_weight_S: Tensor
    ) -> Tensor:
        """The same under a softmax over some words, each of which stands for exp(log_weight) of them.

        The special ids come first among `ids_S`, and all targets are there.
        """
        bias_S = log_weight_S if self.bias_V is None else self.bias_V[ids_S] + log_weight_S
        place_V = torch.empty(self.vocabulary_size, dtype=torch.long, device=ids_S.device)
        place_V[ids_S] = torch.arange(len(ids_S), device=ids_S.device)
        sample = replace(self, weight_VO=self.weight_VO[ids_S], bias_V=bias_S)
        return sample.nll_sum(hidden_NO, place_V[targets_N])

    def _softmax_and_nll(self, hidden_NO: Tensor, targets_N1: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of every next word, shape (N, V), and -log p of the targets, shape (N,)."""
        logits_NV = self.logits(hidden_NO)
        if logits_NV.device.type != "cpu":
            return _by_logarithms(logits_NV, targets_N1)
        # One block of N × V, and one vectorised pass for the exponentials. Only where p is too small for its
        # logarithm to be exact are the logits of the row made again.
        probabilities = torch.softmax(logits_NV, 1, out=logits_NV)
        target_N = probabilities.gather(1, targets_N1).squeeze(1)
        nll_N = -target_N.log()
        small = torch.nonzero(~(target_N > SMALL_PROBABILITY)).squeeze(1)
        if len(small):
            log_probs = self.log_probabilities(hidden_NO[small])
            nll_N[small] = -log_probs.gather(1, targets_N1[small]).squeeze(1)
        return probabilities, nll_N


def _by_logarithms(logits_NV: Tensor, targets_N1: Tensor) -> tuple[Tensor, Tensor]:
    """What `_softmax_and_nll` gives, with another block and pass; nothing of it waits for a GPU's answer."""
    log_probs_NV = torch.log_softmax(logits_NV, 1)
    nll_N = -log_probs_NV.gather(1, targets_N1).squeeze(1)
    return log_probs_NV.exp_(), nll_N


class _NLLSum(torch.autograd.Function):
    """Projection, softmax, loss and their gradient in one pass over chunks of rows.

    The gradient with respect to the logits is softmax - one-hot; it is used up as soon as it is
    made, so no (N, V) block outlives its chunk.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_NO: Tensor,
        weight_VO: Tensor,
        bias_V: Tensor | None,
        targets_N: Tensor,
        masked: int | None,
        bfloat16: bool,
    ) -> Tensor:
        layer = OutputLayer(weight_VO, bias_V, masked, bfloat16)
        total = torch.zeros((), dtype=torch.float64, device=hidden_NO.device)
        grad_hidden = torch.empty_like(hidden_NO)
        grad_weight_OV: Tensor | None = None
        grad_bias = None if bias_V is None else torch.zeros_like(bias_V)
        for chunk in layer.chunks(hidden_NO):
            hidden, targets_N1 = hidden_NO[chunk], targets_N[chunk].unsqueeze(1)
            error_NV, nll_N = layer._softmax_and_nll(hidden, targets_N1)
            total += nll_N.sum(dtype=torch.float64)
            error_NV.scatter_add_(1, targets_N1, error_NV.new_full((1, 1), -1.0).expand(len(hidden), 1))
            grad_hidden[chunk] = product(error_NV, weight_VO.t(), bfloat16=bfloat16)
            part_OV = product(hidden.t(), error_NV.t(), bfloat16=bfloat16)
            grad_weight_OV = part_OV if grad_weight_OV is None else grad_weight_OV.add_(part_OV)
            if grad_bias is not None:
                grad_bias += error_NV.sum(0)
        if grad_weight_OV is None:  # no tokens
            grad_weight_OV = torch.zeros_like(weight_VO).t()
        # In the weight's own layout: what is added to it later would else be read across its rows.
        ctx.save_for_backward(grad_hidden, grad_weight_OV.t().contiguous(), grad_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None, None, None]:
        grad_hidden, grad_weight_VO, grad_bias = ctx.saved_tensors
        scale = grad.to(grad_hidden.dtype)
        return (
            grad_hidden * scale,
            grad_weight_VO * scale,
            None if grad_bias is None else grad_bias * scale,
            None,
            None,
            None,
        )
