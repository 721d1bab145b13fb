"""Interpolated modified Kneser-Ney n-grams over ids, vectorised: what a recurrent network has to beat.

Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling", section 3,
with the conventions of KenLM (Heafield et al. 2013): one START in front of a sentence, no n-gram across
sentences, n-grams that begin with START counted as they occur, unigrams mixed with the uniform distribution.
"""

# N = tokens of a stream, START of every sentence included; G = different n-grams of an order

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from langmodel.ngrams.copied_runs import UNSEEN, find
from langmodel.text.vocabulary import END_ID, START_ID

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)
"""For counts of 1, 2, and 3 or more, where a small text leaves the estimates undefined (KenLM's own)."""


@dataclass(frozen=True)
class Order:
    """The n-grams of one order, by number; what their context leaves over, by the context's number."""

    keys_G: Ids
    """Sorted: (number of the first n - 1 words as an n-gram of the order below) · V + last word."""
    counts_G: Ids
    """Occurrences for the highest order and after START, else how many different words stand in front."""
    discounted_G: Floats
    """(count - discount) / count of the context: the part of the probability that is the n-gram's own.

    One more, for UNSEEN: 0.
    """
    left_over: Floats
    """By the context's number, and 1 for a context that was never seen: the weight of the order below."""


class KneserNey:
    """P(word | up to n - 1 words before it in its sentence), every word, UNK and END possible.

    `discounts`: for counts of 1, 2, and 3 or more, the same for all orders above the first, whose own
    is then 0; None estimates each order's. Time and memory are those of sorting the text `order` times.
    """

    def __init__(
        self,
        ids: npt.ArrayLike,
        vocabulary_size: int,
        order: int = 5,
        discounts: tuple[float, float, float] | None = None,
    ) -> None:
        if order < 1:
            raise ValueError(f"order {order}")
        self.vocabulary_size = vocabulary_size
        self.order = order
        words_N, place_N = _with_starts(ids)
        keys: list[Ids] = []
        numbers = [
            np.zeros(len(words_N), np.int64)
        ]  # of the n-gram that ends at each token; first, the empty one
        for n in range(1, order + 1):
            key_N = self._keys(numbers[-1], words_N, place_N, n)
            keys.append(np.unique(key_N[key_N != UNSEEN]))
            numbers.append(find(key_N, keys[-1]))
        self.orders = []
        for n in range(1, order + 1):
            counts_G = _occurrences(numbers[n], len(keys[n - 1]))
            if n < order:
                counts_G = _continuations(n, place_N, numbers[n], numbers[n + 1], counts_G)
            self.orders.append(self._make_order(n, keys[n - 1], counts_G, discounts))

    def _keys(self, before_N: Ids, words_N: Ids, place_N: Ids, n: int) -> Ids:
        """For the n-gram that ends at each token, its key, given the numbers of the (n-1)-grams."""
        context_N = before_N
        if n > 1:
            context_N = np.concatenate([[UNSEEN], before_N[:-1]])
        key_N = context_N * self.vocabulary_size + words_N
        key_N[(context_N == UNSEEN) | (place_N < n - 1)] = UNSEEN
        return key_N

    def _make_order(
        self, n: int, keys_G: Ids, counts_G: Ids, discounts: tuple[float, float, float] | None
    ) -> Order:
        if n == 1:
            counts_G = np.where(keys_G == START_ID, 0, counts_G)  # START is no event
        context_G = keys_G // self.vocabulary_size
        contexts = int(context_G.max(initial=0)) + 1
        total = np.bincount(context_G, counts_G, contexts)
        if discounts is None:
            chosen = _estimate_discounts(counts_G)
        else:
            chosen = discounts if n > 1 else (0.0, 0.0, 0.0)
        discount_G = np.asarray((0.0, *chosen))[np.minimum(counts_G, 3)]
        with np.errstate(invalid="ignore"):
            discounted_G = np.where(counts_G > 0, (counts_G - discount_G) / total[context_G], 0.0)
            left_over = np.bincount(context_G, discount_G, contexts) / total
        return Order(
            keys_G,
            counts_G,
            np.append(discounted_G, 0.0),
            np.append(np.where(total > 0, left_over, 1.0), 1.0),
        )

    def unigram_probabilities(self) -> Floats:
        """Of every id without a context, shape (V,); START's is 0."""
        order = self.orders[0]
        probability_V = np.full(self.vocabulary_size, order.left_over[0] / (self.vocabulary_size - 1))
        probability_V[order.keys_G] += order.discounted_G[:-1]
        probability_V[START_ID] = 0.0
        return probability_V

    def log_probs(self, ids: npt.ArrayLike) -> Floats:
        """Natural-log probability of every token of a stream `w1 … wn END …`, END counted, in its order."""
        words_N, place_N = _with_starts(ids)
        probability_N = np.full(len(words_N), 1 / (self.vocabulary_size - 1))  # START is never predicted
        number_N = np.zeros(len(words_N), np.int64)
        for n, order in enumerate(self.orders, start=1):
            context_N = number_N if n == 1 else np.concatenate([[UNSEEN], number_N[:-1]])
            context_N = np.where(place_N < n - 1, UNSEEN, context_N)
            number_N = find(self._keys(number_N, words_N, place_N, n), order.keys_G)
            known = (context_N != UNSEEN) & (context_N < len(order.left_over) - 1)
            own_N = order.discounted_G[number_N]
            probability_N = own_N + order.left_over[np.where(known, context_N, -1)] * probability_N
        with np.errstate(divide="ignore"):
            log_probs: Floats = np.log(probability_N[place_N > 0])
        return log_probs


def unigram_log_probs(train_ids: npt.ArrayLike, ids: npt.ArrayLike, vocabulary_size: int) -> Floats:
    """Natural-log relative frequency of every token of `ids`, one added to each count but START's."""
    counts = np.bincount(np.asarray(train_ids, np.int64), minlength=vocabulary_size) + 1.0
    counts[START_ID] = 0.0
    with np.errstate(divide="ignore"):
        log_probs: Floats = np.log(counts / counts.sum())[np.asarray(ids, np.int64)]
    return log_probs


def _with_starts(ids: npt.ArrayLike) -> tuple[Ids, Ids]:
    """The stream with START in front of every sentence, and each token's place in its own, START's 0."""
    stream = np.asarray(ids, np.int64)
    first = (
        np.flatnonzero(np.concatenate([[True], stream[:-1] == END_ID])) if len(stream) else np.zeros(0, int)
    )
    words_N = np.insert(stream, first, START_ID)
    starts = first + np.arange(len(first))
    lengths = np.diff(np.append(starts, len(words_N)))
    return words_N, np.arange(len(words_N)) - np.repeat(starts, lengths)


def _occurrences(number_N: Ids, different: int) -> Ids:
    return np.bincount(number_N[number_N != UNSEEN], minlength=different)


def _continuations(n: int, place_N: Ids, number_N: Ids, above_N: Ids, counts_G: Ids) -> Ids:
    """How many different words stand in front of each n-gram; `counts_G`, where it begins with START.

    `number_N` and `above_N` number the n-gram and the (n+1)-gram that end at each token.
    """
    _, first = np.unique(above_N[above_N != UNSEEN], return_index=True)
    different = _occurrences(number_N[above_N != UNSEEN][first], len(counts_G))
    begins = np.zeros(len(counts_G), bool)
    begins[number_N[(place_N == n - 1) & (number_N != UNSEEN)]] = True
    return np.where(begins, counts_G, different)


def _estimate_discounts(counts_G: Ids) -> tuple[float, ...]:
    """Chen and Goodman's D1, D2, D3+ from how many n-grams occur once to four times."""
    n1, n2, n3, n4 = (float(np.count_nonzero(counts_G == count)) for count in (1, 2, 3, 4))
    if not (n1 and n2 and n3 and n4):
        return FALLBACK_DISCOUNTS
    y = n1 / (n1 + 2 * n2)
    estimates = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    if any(not 0 <= estimate <= count for count, estimate in enumerate(estimates, start=1)):
        return FALLBACK_DISCOUNTS
    return estimates
