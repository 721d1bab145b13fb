"""Dropout of five kinds, with every mask of a window drawn from one generator."""

# T = time, B = batch, H = units, V = vocabulary, G = gates × H

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class DropoutRates:
    """Shares of what is dropped while training; what is left is scaled up to make good for it."""

    input: float = 0.0
    """Units of the embedding."""
    hidden: float = 0.0
    """Units between layers."""
    output: float = 0.0
    """Units of the last layer."""
    word: float = 0.0
    """Whole words: rows of the embedding (Gal and Ghahramani 2016)."""
    weight: float = 0.0
    """Entries of the recurrent matrices: DropConnect (Wan et al. 2013; Merity et al. 2018)."""


@dataclass(frozen=True)
class Dropout:
    """The masks of one window: each is drawn once and holds for all its steps (locked dropout).

    Masks over columns are drawn for the columns of all `ranks` processes, and this one, number `rank`, takes
    its own, so that several processes together drop what one alone would.
    """

    rates: DropoutRates
    generator: torch.Generator | None
    rank: int = 0
    ranks: int = 1

    def begin(self, seed: int) -> None:
        """The masks that are drawn from here on are a function of the seed."""
        if self.generator is not None:
            self.generator.manual_seed(seed)

    def _mask(self, like: Tensor, shape: tuple[int, ...], rate: float) -> Tensor:
        return like.new_empty(shape).bernoulli_(1 - rate, generator=self.generator).div_(1 - rate)

    def units(self, input_TBH: Tensor, rate: float) -> Tensor:
        """Drops the same units at every step of a window (Gal and Ghahramani 2016)."""
        if rate == 0:
            return input_TBH
        _, B, H = input_TBH.shape
        mask_BH = self._mask(input_TBH, (B * self.ranks, H), rate)
        return input_TBH * mask_BH[self.rank * B : (self.rank + 1) * B]

    def words(self, embedded_TBE: Tensor, ids_TB: Tensor, vocabulary_size: int) -> Tensor:
        """The vectors of the words, those of dropped words all zero; then dropout of the input's units."""
        if self.rates.word:
            mask_V = self._mask(embedded_TBE, (vocabulary_size,), self.rates.word)
            embedded_TBE = embedded_TBE * mask_V[ids_TB].unsqueeze(-1)
        return self.units(embedded_TBE, self.rates.input)

    def weights(self, weight_GH: Tensor) -> Tensor:
        """A recurrent matrix without the dropped entries; the gradient goes to the whole one."""
        rate = self.rates.weight
        return weight_GH * self._mask(weight_GH, tuple(weight_GH.shape), rate) if rate else weight_GH


NO_DROPOUT = Dropout(DropoutRates(), generator=None)
"""Drops nothing and draws nothing."""


def step_seed(seed: int, step: int) -> int:
    """A seed for the dropout of one step; mixed well, for a CPU generator looks at its low 32 bits only."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0])
