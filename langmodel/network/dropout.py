"""Dropout whose randomness comes from a generator that is handed in."""

# T = time, B = batch, H = units

import torch
from torch import Tensor


def locked_dropout(input_TBH: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Drops the same units at every step of a window (Gal and Ghahramani 2016); scales up the rest."""
    if rate == 0:
        return input_TBH
    mask_BH = torch.empty_like(input_TBH[0]).bernoulli_(1 - rate, generator=generator).div_(1 - rate)
    return input_TBH * mask_BH
