"""What is made of probabilities: perplexity, and the share of all words but one."""

# N = tokens, V = vocabulary

import math

import torch
from torch import Tensor


def perplexity(nll: float, tokens: int) -> float:
    """exp(nll / tokens), infinity where that is too large; the one definition, used everywhere.

    `nll` in nats over `tokens` predicted tokens, END counted and START not. Raises ValueError for none.
    """
    if tokens <= 0:
        raise ValueError("perplexity of no tokens")
    mean = nll / tokens
    return math.exp(mean) if mean < 700 else math.inf


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
