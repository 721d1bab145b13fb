"""The gate between a trained network and n-grams, fitted on text that neither was made from."""

# N = tokens, O = output width, K = n-grams' features, F = O + K

import torch
from torch import Tensor
from torch.nn import functional

from langmodel.network.mixture import Gate

PRIOR = 75.0
"""Weights are drawn to 0 by half of this times their square, in nats in all; features are in units of their
spread. Found on Penn Treebank and on a novel: with less, 8,000 tokens are learnt by heart.
"""

ITERATIONS = 80

LEAST_SPREAD = 1e-6


def fit_gate(
    hidden_NO: Tensor, known_NK: Tensor, network_log_prob_N: Tensor, ngrams_log_prob_N: Tensor
) -> Gate:
    """The gate under which the tokens are likeliest, but for PRIOR. Deterministic.

    Each token comes with what the output layer read, what the n-grams knew of its context, and its
    natural-log probability by either.
    """
    features_NF = torch.cat([hidden_NO, known_NK], dim=1).double().cpu()
    spread_F, mean_F = torch.std_mean(features_NF, dim=0, correction=0)
    spread_F = spread_F.clamp(min=LEAST_SPREAD)
    features_NF = features_NF.sub_(mean_F).div_(spread_F)
    network_N, ngrams_N = network_log_prob_N.double().cpu(), ngrams_log_prob_N.double().cpu()
    weight_F = torch.zeros(features_NF.shape[1], dtype=torch.double, requires_grad=True)
    bias = torch.ones((), dtype=torch.double, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight_F, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        odds_N = features_NF @ weight_F + bias
        log_prob_N = torch.logaddexp(
            functional.logsigmoid(odds_N) + network_N, functional.logsigmoid(-odds_N) + ngrams_N
        )
        loss = (PRIOR * weight_F.square().sum() / 2 - log_prob_N.sum()) / len(log_prob_N)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    weight_F = weight_F.detach() / spread_F
    return Gate(weight_F.float(), (bias.detach() - mean_F @ weight_F).float())
