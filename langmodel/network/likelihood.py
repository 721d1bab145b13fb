"""The model's own softmax, likelihood and perplexity; what a sampler filters afterwards is its affair.

Log-probabilities are natural (nats). START has no probability: it is masked before every softmax, so
that the words, UNK and END sum to one. Sums over tokens are float64.
"""

# N = tokens, O = output width, V = vocabulary, E = embedding

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from langmodel.network.products import product
from langmodel.text.vocabulary import START_ID

CHUNK_ELEMENTS = 8 * 2**20
"""Logits held at once on a CPU: a chunk of rows that stays in the last-level cache."""

CHUNK_ELEMENTS_GPU = 2**28

SMALL_PROBABILITY = 1e-30
"""Below this, float32 nears its end, and -log p is computed from the logits."""


def _chunks(hidden_NO: Tensor, weight_VO: Tensor) -> Iterator[slice]:
    """Rows whose logits are held together, as equal in number as they can be."""
    N = hidden_NO.shape[0]
    limit = CHUNK_ELEMENTS if hidden_NO.device.type == "cpu" else CHUNK_ELEMENTS_GPU
    chunks = max(1, math.ceil(N * weight_VO.shape[0] / limit))
    rows = max(1, math.ceil(N / chunks))
    return (slice(start, start + rows) for start in range(0, N, rows))


def logits(hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None) -> Tensor:
    """Unnormalised log-probabilities, shape (N, V), START at -inf; carries no gradient."""
    logits_NV = product(hidden_NO, weight_VO, bias_V)
    logits_NV[:, START_ID] = -torch.inf
    return logits_NV


def log_probabilities(hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None) -> Tensor:
    """Natural-log probabilities of every next word, shape (N, V); carries no gradient."""
    return torch.log_softmax(logits(hidden_NO, weight_VO, bias_V), dim=1)


def _softmax_and_nll(
    hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, targets_N1: Tensor
) -> tuple[Tensor, Tensor]:
    """Probabilities of every next word, shape (N, V), and -log p of the targets, shape (N,)."""
    logits_NV = logits(hidden_NO, weight_VO, bias_V)
    if logits_NV.device.type != "cpu":
        return _by_logarithms(logits_NV, targets_N1)
    # One block of N × V, and one vectorised pass for the exponentials. Only where p is too small for its
    # logarithm to be exact are the logits of the row made again.
    probabilities = torch.softmax(logits_NV, 1, out=logits_NV)
    target_N = probabilities.gather(1, targets_N1).squeeze(1)
    nll_N = -target_N.log()
    small = torch.nonzero(~(target_N > SMALL_PROBABILITY)).squeeze(1)
    if len(small):
        log_probs = log_probabilities(hidden_NO[small], weight_VO, bias_V)
        nll_N[small] = -log_probs.gather(1, targets_N1[small]).squeeze(1)
    return probabilities, nll_N


def _by_logarithms(logits_NV: Tensor, targets_N1: Tensor) -> tuple[Tensor, Tensor]:
    """What `_softmax_and_nll` gives, with another block and pass; nothing of it waits for a GPU's answer."""
    log_probs_NV = torch.log_softmax(logits_NV, 1)
    nll_N = -log_probs_NV.gather(1, targets_N1).squeeze(1)
    return log_probs_NV.exp_(), nll_N


def token_nll(hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, targets_N: Tensor) -> Tensor:
    """-log p of each target in nats, shape (N,), in chunks of rows; carries no gradient."""
    nll_N = hidden_NO.new_empty(hidden_NO.shape[0])
    for chunk in _chunks(hidden_NO, weight_VO):
        _, nll_N[chunk] = _softmax_and_nll(hidden_NO[chunk], weight_VO, bias_V, targets_N[chunk].unsqueeze(1))
    return nll_N


def token_details(hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, targets_N: Tensor) -> Tensor:
    """-log p of each target, the entropy of the distribution that predicted it, and its rank; shape (N, 3).

    Nats; rank 1 is the likeliest word, and words of equal probability share the better rank. In chunks
    of rows; carries no gradient.
    """
    details_N3 = hidden_NO.new_empty(hidden_NO.shape[0], 3)
    for chunk in _chunks(hidden_NO, weight_VO):
        logits_NV = logits(hidden_NO[chunk], weight_VO, bias_V)
        targets_N1 = targets_N[chunk].unsqueeze(1)
        rank_N = (logits_NV > logits_NV.gather(1, targets_N1)).sum(1) + 1
        log_probs_NV = torch.log_softmax(logits_NV, 1)
        nll_N = -log_probs_NV.gather(1, targets_N1).squeeze(1)
        log_probs_NV[:, START_ID] = 0.0  # its probability is 0: no share in the entropy
        entropy_N = -(torch.softmax(logits_NV, 1) * log_probs_NV).sum(1)
        details_N3[chunk] = torch.stack([nll_N, entropy_N, rank_N.to(nll_N.dtype)], dim=1)
    return details_N3


def expected_words(
    hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, most: int
) -> tuple[Tensor, Tensor]:
    """The ids of the `most` likeliest words, likeliest first, and their log-probabilities; each (N, most).

    In chunks of rows; carries no gradient.
    """
    parts = [
        log_probabilities(hidden_NO[chunk], weight_VO, bias_V).topk(most, dim=1)
        for chunk in _chunks(hidden_NO, weight_VO)
    ]
    return torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts])


def temperature_moments(
    hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, targets_N: Tensor, beta: float
) -> Tensor:
    """Σ -log p of the targets under softmax(beta · logits), and its first and second derivative by beta.

    float64, shape (3,). They are Σ E[z] - z_target and Σ Var[z], z the logits: the loss is convex in beta.
    """
    moments = torch.zeros(3, dtype=torch.float64, device=hidden_NO.device)
    for chunk in _chunks(hidden_NO, weight_VO):
        logits_NV = logits(hidden_NO[chunk], weight_VO, bias_V)
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


class _NLLSum(torch.autograd.Function):
    """Projection, softmax, loss and their gradient in one pass over chunks of rows.

    The gradient with respect to the logits is softmax - one-hot; it is used up as soon as it is
    made, so no (N, V) block outlives its chunk.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, targets_N: Tensor
    ) -> Tensor:
        total = torch.zeros((), dtype=torch.float64, device=hidden_NO.device)
        grad_hidden = torch.empty_like(hidden_NO)
        grad_weight_OV: Tensor | None = None
        grad_bias = None if bias_V is None else torch.zeros_like(bias_V)
        for chunk in _chunks(hidden_NO, weight_VO):
            hidden, targets_N1 = hidden_NO[chunk], targets_N[chunk].unsqueeze(1)
            error_NV, nll_N = _softmax_and_nll(hidden, weight_VO, bias_V, targets_N1)
            total += nll_N.sum(dtype=torch.float64)
            error_NV.scatter_add_(1, targets_N1, error_NV.new_full((1, 1), -1.0).expand(len(hidden), 1))
            grad_hidden[chunk] = product(error_NV, weight_VO.t())
            part_OV = product(hidden.t(), error_NV.t())
            grad_weight_OV = part_OV if grad_weight_OV is None else grad_weight_OV.add_(part_OV)
            if grad_bias is not None:
                grad_bias += error_NV.sum(0)
        assert grad_weight_OV is not None, "no tokens"
        ctx.save_for_backward(grad_hidden, grad_weight_OV, grad_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        grad_hidden, grad_weight_OV, grad_bias = ctx.saved_tensors
        scale = grad.to(grad_hidden.dtype)
        return (
            grad_hidden * scale,
            (grad_weight_OV * scale).t(),
            None if grad_bias is None else grad_bias * scale,
            None,
        )


def nll_sum(hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, targets_N: Tensor) -> Tensor:
    """Σ -log p(target) in nats, a float64 scalar with gradient. Divide by the tokens once, outside."""
    total: Tensor = _NLLSum.apply(hidden_NO, weight_VO, bias_V, targets_N)  # type: ignore[no-untyped-call]
    return total


def log_of_the_others(logits_NV: Tensor, probabilities_NV: Tensor, id: int) -> Tensor:
    """log(1 - p(id)) in float64, shape (N,), given softmax(logits); exact also where p(id) is nearly 1."""
    probability_N = probabilities_NV[:, id].double()
    log_N = torch.log1p(-probability_N)
    likely = torch.nonzero(~(probability_N < 0.5)).squeeze(1)
    if len(likely):
        rows_NV = logits_NV[likely].double()
        whole_N = torch.logsumexp(rows_NV, 1)
        rows_NV[:, id] = -torch.inf
        log_N[likely] = torch.logsumexp(rows_NV, 1) - whole_N
    return log_N


class _ExpectedEmbedding(torch.autograd.Function):
    """Softmax times embedding, in chunks of rows; the softmax is made again on the way back."""

    @staticmethod
    def forward(
        ctx: Any, hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, embedding_VE: Tensor
    ) -> Tensor:
        expected_NE = hidden_NO.new_empty(len(hidden_NO), embedding_VE.shape[1])
        for chunk in _chunks(hidden_NO, weight_VO):
            probabilities_NV = torch.softmax(logits(hidden_NO[chunk], weight_VO, bias_V), 1)
            expected_NE[chunk] = product(probabilities_NV, embedding_VE.t())
        ctx.save_for_backward(hidden_NO, weight_VO, bias_V, embedding_VE, expected_NE)
        return expected_NE

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NE: Tensor) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        hidden_NO, weight_VO, bias_V, embedding_VE, expected_NE = ctx.saved_tensors
        grad_hidden = torch.empty_like(hidden_NO)
        grad_weight_OV, grad_embedding_EV = (
            torch.zeros_like(weight_VO.t()),
            torch.zeros_like(embedding_VE.t()),
        )
        grad_bias = None if bias_V is None else torch.zeros_like(bias_V)
        mean_N1 = (grad_NE * expected_NE).sum(1, keepdim=True)
        for chunk in _chunks(hidden_NO, weight_VO):
            hidden, grad = hidden_NO[chunk], grad_NE[chunk]
            probabilities_NV = torch.softmax(logits(hidden, weight_VO, bias_V), 1)
            grad_embedding_EV += product(grad.t(), probabilities_NV.t())
            error_NV = product(grad, embedding_VE).sub_(mean_N1[chunk]).mul_(probabilities_NV)
            grad_hidden[chunk] = product(error_NV, weight_VO.t())
            grad_weight_OV += product(hidden.t(), error_NV.t())
            if grad_bias is not None:
                grad_bias += error_NV.sum(0)
        return grad_hidden, grad_weight_OV.t(), grad_bias, grad_embedding_EV.t()


def expected_embedding(
    hidden_NO: Tensor, weight_VO: Tensor, bias_V: Tensor | None, embedding_VE: Tensor
) -> Tensor:
    """Σ p(word) · embedding(word) over the next words, shape (N, E), with gradient; keeps no (N, V) block."""
    arguments = (hidden_NO, weight_VO, bias_V, embedding_VE)
    expected: Tensor = _ExpectedEmbedding.apply(*arguments)  # type: ignore[no-untyped-call]
    return expected


def perplexity(nll: float, tokens: int) -> float:
    """exp(nll / tokens), infinity where that is too large; the one definition, used everywhere.

    `nll` in nats over `tokens` predicted tokens, END counted and START not. Raises ValueError for none.
    """
    if tokens <= 0:
        raise ValueError("perplexity of no tokens")
    mean = nll / tokens
    return math.exp(mean) if mean < 700 else math.inf
