"""Where to cut a vocabulary into the bands of an adaptive softmax, from how often its words occur."""

# C = rows of the head, n = rows of a band, D = size of its vectors, p = share of the tokens that are in it

from collections.abc import Sequence
from itertools import accumulate, combinations, pairwise

from langmodel.text.vocabulary import SPECIAL_TOKENS

MOST_BANDS = 2

LEAST_ROWS = 1_000
"""Of the head, and of every band: smaller products are not much cheaper."""

EASE = 1.5
"""The head is the largest that keeps the cost within this factor of the lowest: a word in the head is
predicted better than one in a band.
"""

CANDIDATES = 24


def choose_cutoffs(
    counts: Sequence[int], vocabulary_size: int, embedding_size: int, band_factor: int
) -> tuple[int, ...]:
    """First rows of the bands; none if the vocabulary is too small for one.

    `counts` are those of the words, the most frequent first, which the special tokens' rows go before;
    without any, Zipf's law.
    The cost of a token, in multiplications, is (C + K) E for the head and p (E D + n D) for each band, which
    only its own words go through (Grave et al. 2017, section 4.3, without the constant of a small product).
    """
    largest = vocabulary_size - LEAST_ROWS
    if largest < LEAST_ROWS:
        return ()
    shares = (
        counts if any(counts) else [1 / rank for rank in range(1, vocabulary_size - len(SPECIAL_TOKENS) + 1)]
    )
    total = sum(shares)
    covered = [0.0] * len(SPECIAL_TOKENS) + [part / total for part in accumulate(shares)]
    ratio = (largest / LEAST_ROWS) ** (1 / CANDIDATES)
    grid = sorted({round(LEAST_ROWS * ratio**step) for step in range(CANDIDATES + 1)})
    costs = {
        cuts: _cost(cuts, covered, embedding_size, band_factor)
        for bands in range(1, MOST_BANDS + 1)
        for cuts in combinations(grid, bands)
    }
    most = EASE * min(costs.values())
    affordable = [cuts for cuts, cost in costs.items() if cost <= most]
    head = max(cuts[0] for cuts in affordable)
    return min((cuts for cuts in affordable if cuts[0] == head), key=costs.__getitem__)


def _cost(cuts: tuple[int, ...], covered: Sequence[float], embedding_size: int, band_factor: int) -> float:
    cost = float((cuts[0] + len(cuts)) * embedding_size)
    for number, (start, stop) in enumerate(pairwise((*cuts, len(covered))), start=1):
        size = max(1, embedding_size // band_factor**number)
        cost += (covered[stop - 1] - covered[start - 1]) * size * (embedding_size + stop - start)
    return cost
