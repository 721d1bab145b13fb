"""Filters: logits to logits. They drop words (at -inf) or sharpen the rest; all but `ban` leave one."""

# B = batch, V = vocabulary

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from langmodel.inference.settings import SamplingSettings

Filter = Callable[[Tensor], Tensor]

GREEDY_TEMPERATURE = 1e-6
"""At or below this, float32 logits that differ at all differ beyond any chance of a draw."""


def ban(ids: Sequence[int]) -> Filter:
    """These ids are never drawn; the probability of the others grows in proportion."""

    def apply(logits_BV: Tensor) -> Tensor:
        logits_BV[:, list(ids)] = -torch.inf
        return logits_BV

    return apply


def only(id: int) -> Filter:
    """Nothing but this id."""

    def apply(logits_BV: Tensor) -> Tensor:
        kept_B = logits_BV[:, id].clone()
        logits_BV.fill_(-torch.inf)[:, id] = kept_B
        return logits_BV

    return apply


def temperature(value: float) -> Filter:
    """Divides log-probabilities by `value`; towards 0 only the likeliest word is left."""

    def apply(logits_BV: Tensor) -> Tensor:
        best_B1 = logits_BV.max(1, keepdim=True)
        if value <= GREEDY_TEMPERATURE:
            return torch.full_like(logits_BV, -torch.inf).scatter_(1, best_B1.indices, 0.0)
        return logits_BV.sub_(best_B1.values).div_(value)

    return apply


def top_k(k: int) -> Filter:
    """The `k` likeliest words, and any that tie with the last of them; all if there are fewer."""

    def apply(logits_BV: Tensor) -> Tensor:
        if k >= logits_BV.shape[1]:
            return logits_BV
        least_B1 = logits_BV.topk(k, dim=1).values[:, -1:]
        return logits_BV.masked_fill_(logits_BV < least_B1, -torch.inf)

    return apply


def _past(p: float, order_BV: Tensor, probabilities_BV: Tensor) -> Tensor:
    """Whether each word, in this order and with these probabilities, comes after those that reach `p`."""
    before_BV = probabilities_BV.cumsum(1).roll(1, dims=1)
    before_BV[:, 0] = 0.0
    return torch.zeros_like(order_BV, dtype=torch.bool).scatter_(1, order_BV, before_BV >= p)


def top_p(p: float) -> Filter:
    """The nucleus: the smallest set of likeliest words whose probability reaches `p`."""

    def apply(logits_BV: Tensor) -> Tensor:
        sorted_BV, order_BV = logits_BV.sort(dim=1, descending=True, stable=True)
        past_BV = _past(p, order_BV, torch.softmax(sorted_BV.double(), 1))
        return logits_BV.masked_fill_(past_BV, -torch.inf)

    return apply


def typical_p(p: float) -> Filter:
    """The words of surprisal nearest the entropy, as many as reach probability `p` (Meister et al. 2023)."""

    def apply(logits_BV: Tensor) -> Tensor:
        log_probs_BV = torch.log_softmax(logits_BV.double(), 1)
        probabilities_BV = log_probs_BV.exp()
        entropy_B1 = -(probabilities_BV * log_probs_BV).nan_to_num(nan=0.0).sum(1, keepdim=True)
        order_BV = (log_probs_BV + entropy_B1).abs().sort(dim=1, stable=True).indices
        past_BV = _past(p, order_BV, probabilities_BV.gather(1, order_BV))
        return logits_BV.masked_fill_(past_BV, -torch.inf)

    return apply


def min_p(share: float) -> Filter:
    """The words at least `share` times as likely as the likeliest (Nguyen et al. 2024)."""

    def apply(logits_BV: Tensor) -> Tensor:
        least_B1 = logits_BV.amax(1, keepdim=True) + math.log(share)
        return logits_BV.masked_fill_(logits_BV < least_B1, -torch.inf)

    return apply


FILTERS: dict[str, Callable[[SamplingSettings], Filter | None]] = {
    "temperature": lambda settings: temperature(settings.temperature) if settings.temperature != 1 else None,
    "top_k": lambda settings: top_k(settings.top_k) if settings.top_k else None,
    "top_p": lambda settings: top_p(settings.top_p) if settings.top_p < 1 else None,
    "typical_p": lambda settings: typical_p(settings.typical_p) if settings.typical_p < 1 else None,
    "min_p": lambda settings: min_p(settings.min_p) if settings.min_p else None,
}
"""In the order in which they are applied; None where a setting leaves the distribution as it is."""


def make_filters(settings: SamplingSettings) -> list[Filter]:
    return [made for make in FILTERS.values() if (made := make(settings)) is not None]
