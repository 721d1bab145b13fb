"""Which runs of words a text holds, exactly and without hashing: how much of a sentence is copied from it."""

# N = tokens of a stream, G = different n-grams of an order

import numpy as np
import numpy.typing as npt

from langmodel.text.vocabulary import END_ID, UNK_ID

Ids = npt.NDArray[np.int64]

UNSEEN = -1


def find(key_N: Ids, keys_G: Ids) -> Ids:
    """The number of each key among the sorted ones, UNSEEN for the others."""
    if not len(keys_G):
        return np.full(len(key_N), UNSEEN)
    place = np.minimum(np.searchsorted(keys_G, key_N), len(keys_G) - 1)
    return np.where(keys_G[place] == key_N, place, UNSEEN)


class CopiedRuns:
    """The runs of up to `longest` words inside the sentences of a stream.

    A run is known by the number of its first words, itself a run, and its last word; so any two differ.
    UNK is part of no run: nobody knows what word it was.
    """

    def __init__(self, ids: npt.ArrayLike, vocabulary_size: int, longest: int) -> None:
        self.longest = longest
        self._vocabulary_size = vocabulary_size
        words_N = np.asarray(ids, np.int64)
        self._keys: list[Ids] = []
        number_N: Ids | None = None
        for _ in range(longest):
            key_N = self._extend(number_N, words_N)
            self._keys.append(np.unique(key_N[key_N != UNSEEN]))
            number_N = find(key_N, self._keys[-1])

    def _extend(self, number_N: Ids | None, words_N: Ids) -> Ids:
        """The key of the run that ends at each word, given the shorter ones' numbers; None: of no words."""
        before_N = np.zeros_like(words_N)
        if number_N is not None:
            before_N = np.concatenate([[UNSEEN], number_N[:-1]])[: len(words_N)]
        key_N = before_N * self._vocabulary_size + words_N
        key_N[(before_N == UNSEEN) | (words_N == END_ID) | (words_N == UNK_ID)] = UNSEEN
        return key_N

    def longest_run(self, ids: npt.ArrayLike) -> int:
        """Words of the longest run of `ids` that stands in the stream; counts up to `longest`."""
        words_N = np.asarray(ids, np.int64)
        number_N: Ids | None = None
        for length, keys_G in enumerate(self._keys):
            number_N = find(self._extend(number_N, words_N), keys_G)
            if not (number_N != UNSEEN).any():
                return length
        return self.longest
