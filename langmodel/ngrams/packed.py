"""N-grams as a part of a model: a few bytes each, and a whole distribution after many contexts at once.

A context's n-grams carry only their own part of the probability, (count - discount) / count of the
context. What is left over belongs to the n-grams of a context one word shorter: it is 1 - Σ of the parts, and
so is not kept. The sum over all words is one, whatever was pruned or rounded.
"""

# N = contexts, K = lengths of context (order - 1), G = n-grams of an order, P = contexts of an order
# V = vocabulary, T = time, B = batch

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from langmodel.errors import ModelFileError
from langmodel.ngrams.kneser_ney import KneserNey
from langmodel.text.vocabulary import START_ID

NONE = -1
"""In place of the number of an n-gram that there is not."""

STEPS_PER_BIT = 2_048
"""Parts are kept as round(-log2 p · 2,048) in 16 bits: to 0.02 %, from 2^-1/2048 down to 2^-32."""

LEAST_LEFT_OVER = 1e-5

MAX_NGRAMS = 2**24
"""Of an order; float32, in which their numbers travel with the hidden states, tells so many apart."""

UNSIGNED_16 = 0xFFFF


@dataclass(frozen=True, eq=False)
class Level:
    """The n-grams of one order above the first, sorted by context, then by word."""

    words_G: Tensor
    """int32: the last word."""
    codes_G: Tensor
    """int32, 1 to 65,535: the n-gram's own part of the probability."""
    children_P: Tensor
    """int32: how many n-grams each context has; contexts are the n-grams of the order below."""


def encoded(parts_G: Tensor) -> Tensor:
    """The 16-bit codes of probabilities."""
    return (-parts_G.double().clamp(min=2.0**-40).log2() * STEPS_PER_BIT).round().clamp(1, UNSIGNED_16).int()


def decoded(codes_G: Tensor) -> Tensor:
    return torch.exp2(-codes_G.double() / STEPS_PER_BIT)


class _Lookup:
    """A level, ready to be asked."""

    def __init__(self, level: Level, vocabulary_size: int) -> None:
        children_P = level.children_P.long()
        self.first_P1 = torch.cat([children_P.new_zeros(1), children_P.cumsum(0)])
        context_G = torch.repeat_interleave(torch.arange(len(children_P)), children_P)
        self.words_G = level.words_G.long()
        self.keys_G = context_G * vocabulary_size + self.words_G
        parts_G = decoded(level.codes_G)
        sums_P = torch.zeros(len(children_P), dtype=torch.float64).index_add_(0, context_G, parts_G)
        most = 1 - LEAST_LEFT_OVER
        shrink_P = (most / sums_P.clamp(min=most)).clamp(max=1.0)
        parts_G *= shrink_P[context_G]
        # One more, for NONE.
        self.parts_G1 = torch.cat([parts_G, parts_G.new_zeros(1)]).float()
        self.left_over_P1 = torch.cat([1 - sums_P * shrink_P, sums_P.new_ones(1)]).float()

    def to(self, device: torch.device) -> None:
        for name, tensor in vars(self).items():
            setattr(self, name, tensor.to(device))

    def find(self, context_N: Tensor, words_N: Tensor, vocabulary_size: int) -> Tensor:
        """The numbers of n-grams, NONE for those that there are not; of any shape."""
        if not len(self.keys_G):
            return torch.full_like(words_N, NONE)
        keys_N = torch.where(context_N == NONE, NONE, context_N * vocabulary_size + words_N)
        place_N = torch.searchsorted(self.keys_G, keys_N).clamp_(max=len(self.keys_G) - 1)
        return torch.where(self.keys_G[place_N] == keys_N, place_N, NONE)


class PackedNgrams:
    """P(word | up to order - 1 words before it in its sentence), START never.

    `unigrams_V` sums to one over the words; `levels` go from pairs upwards. Raises ModelFileError for levels
    that do not fit one another.
    """

    def __init__(self, unigrams_V: Tensor, levels: Sequence[Level]) -> None:
        _check(unigrams_V, levels)
        self.unigrams_V = unigrams_V
        self.levels = tuple(levels)
        self._lookups = [_Lookup(level, len(unigrams_V)) for level in levels]
        self._unigrams_V = (unigrams_V.double() / unigrams_V.double().sum()).float()

    @property
    def order(self) -> int:
        return len(self.levels) + 1

    @property
    def size(self) -> int:
        """N-grams above the first order."""
        return sum(len(level.words_G) for level in self.levels)

    def to(self, device: torch.device) -> "PackedNgrams":
        self._unigrams_V = self._unigrams_V.to(device)
        for lookup in self._lookups:
            lookup.to(device)
        return self

    def no_context(self, rows: int) -> Tensor:
        """Before the first word: shape (rows, K)."""
        return torch.full((rows, len(self.levels)), NONE, device=self._unigrams_V.device)

    def contexts(self, inputs_TB: Tensor, before_BK: Tensor) -> Tensor:
        """After each word of a window, the numbers of the n-grams that end there, one to K words long.

        Shape (T, B, K); `before_BK` holds those at the word before the window.
        """
        ends = [inputs_TB]
        for length in range(1, len(self.levels)):
            before_TB = torch.cat([before_BK[:, length - 1].unsqueeze(0), ends[-1][:-1]])
            ends.append(self._lookups[length - 1].find(before_TB, inputs_TB, len(self.unigrams_V)))
        return torch.stack(ends, dim=2)[:, :, : len(self.levels)]

    def probabilities(self, contexts_NK: Tensor, words_N: Tensor) -> Tensor:
        """Of each word after the context beside it; float32, shape (N,)."""
        probability_N = self._unigrams_V[words_N]
        for lookup, context_N in zip(self._lookups, contexts_NK.unbind(1), strict=True):
            number_N = lookup.find(context_N, words_N, len(self.unigrams_V))
            probability_N = lookup.parts_G1[number_N] + lookup.left_over_P1[context_N] * probability_N
        return probability_N

    def distribution(self, contexts_NK: Tensor) -> Tensor:
        """Of every word after each context; float32, shape (N, V)."""
        N, V = len(contexts_NK), len(self.unigrams_V)
        share_N = torch.ones(N, device=contexts_NK.device)
        rows, words, parts = [], [], []
        for lookup, context_N in zip(reversed(self._lookups), reversed(contexts_NK.unbind(1)), strict=True):
            first_N = lookup.first_P1[context_N]
            count_N = torch.where(context_N == NONE, 0, lookup.first_P1[context_N + 1] - first_N)
            row_M = torch.repeat_interleave(torch.arange(N, device=count_N.device), count_N)
            start_N = count_N.cumsum(0) - count_N
            place_M = torch.arange(len(row_M), device=count_N.device) + (first_N - start_N)[row_M]
            rows.append(row_M)
            words.append(lookup.words_G[place_M])
            parts.append(lookup.parts_G1[place_M] * share_N[row_M])
            share_N = share_N * lookup.left_over_P1[context_N]
        distribution_NV = share_N.unsqueeze(1) * self._unigrams_V
        if rows:
            places = torch.cat(rows) * V + torch.cat(words)
            distribution_NV.view(-1).index_add_(0, places, torch.cat(parts))
        return distribution_NV

    def left_over(self, n: int) -> Tensor:
        """What each n-gram of n words, as a context, leaves to shorter ones; float32."""
        return self._lookups[n - 1].left_over_P1[:-1]

    def known(self, contexts_NK: Tensor) -> Tensor:
        """What is known of each context before the word comes; float32, shape (N, 2K).

        For each length, whether the context was seen, and the logarithm of what it leaves over.
        """
        columns = []
        for lookup, context_N in zip(self._lookups, contexts_NK.unbind(1), strict=True):
            left_over_N = lookup.left_over_P1[context_N]
            columns += [(left_over_N < 1).float(), left_over_N.log()]
        return torch.stack(columns, dim=1) if columns else contexts_NK.new_zeros(len(contexts_NK), 0).float()


def _check(unigrams_V: Tensor, levels: Sequence[Level]) -> None:
    V = len(unigrams_V)
    valid = bool((unigrams_V >= 0).all()) and math.isclose(float(unigrams_V.double().sum()), 1, abs_tol=1e-3)
    if not valid or float(unigrams_V[START_ID]) != 0 or not bool((unigrams_V > 0).sum() == V - 1):
        raise ModelFileError("n-grams: the probabilities of single words are malformed")
    contexts = V
    for n, level in enumerate(levels, start=2):
        G = len(level.words_G)
        fits = (
            len(level.children_P) == contexts
            and len(level.codes_G) == G <= MAX_NGRAMS
            and bool((level.children_P >= 0).all())
            and int(level.children_P.long().sum()) == G
            and bool(((level.words_G >= 0) & (level.words_G < V)).all())
            and bool(((level.codes_G >= 1) & (level.codes_G <= UNSIGNED_16)).all())
        )
        if fits and G:
            context_G = torch.repeat_interleave(torch.arange(contexts), level.children_P.long())
            fits = bool(((context_G * V + level.words_G.long()).diff() > 0).all())
        if not fits:
            raise ModelFileError(f"n-grams: those of {n} words are malformed, or do not fit the shorter ones")
        contexts = G


def packed(model: KneserNey, order: int, least_counts: Sequence[int] = ()) -> PackedNgrams:
    """The n-grams of a Kneser-Ney model up to `order`.

    `least_counts` prunes: entry k holds the least (adjusted) count of n-grams of k + 2 words. What the longer
    ones that are kept need stays.
    """
    V = model.vocabulary_size
    unigrams = model.unigram_probabilities()
    orders = model.orders[1:order]
    kept = [
        torch.from_numpy(level.counts_G >= least)
        for level, least in zip(orders, [*least_counts, *[1] * len(orders)], strict=False)
    ]
    for n in range(len(orders) - 1, 0, -1):  # a context of what is kept is kept
        context_G = torch.from_numpy(orders[n].keys_G // V)[kept[n]]
        kept[n - 1][context_G] = True
    levels = []
    number_P = torch.from_numpy(model.orders[0].keys_G)  # of a first word, its id
    contexts = V
    for level, keep_G in zip(orders, kept, strict=True):
        keys_G = torch.from_numpy(level.keys_G)[keep_G]
        parts_G = torch.from_numpy(level.discounted_G[:-1])[keep_G]
        context_G = number_P[keys_G // V]
        levels.append(
            Level((keys_G % V).int(), encoded(parts_G), torch.bincount(context_G, minlength=contexts).int())
        )
        number_P = torch.cumsum(keep_G, 0) - 1
        contexts = len(keys_G)
    return PackedNgrams(torch.from_numpy(unigrams).float(), levels)
