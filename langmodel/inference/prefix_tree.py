"""Log-probabilities of sentences that begin alike, each beginning computed once: n-best lists."""

# B = different beginnings, N = sentences, O = output width, V = vocabulary

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from langmodel.network.cells import select_state
from langmodel.network.predictor import Predictor
from langmodel.text.vocabulary import END_ID

BLOCK_IDS = 2**20
"""Of the sentences whose beginnings are compared, filled up to the longest; bounds memory."""

SOFTMAX_ROWS = 512
"""Distributions held at once."""

Ids = npt.NDArray[np.int64]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Asked:
    """What is asked at one place of the sentences."""

    hidden_BO: Tensor
    """Of all beginnings."""
    pairs: Ids
    """Number of the beginning · V + word that comes after it, ascending, each once."""
    sentences: Ids
    """Those that go on here, and"""
    pair_of: Ids
    """which of `pairs` each goes on with."""


def score_prefix_tree(network: Predictor, sentences: Sequence[Sequence[int]]) -> list[float]:
    """Natural-log probability of each sentence (ids without END) and its END, from the zero state."""
    found: list[float] = []
    for block in _blocks(sentences):
        found += _score_block(network, block).tolist()
    return found


def _blocks(sentences: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    block: list[Sequence[int]] = []
    longest = 0
    for words in sentences:
        longest = max(longest, len(words) + 1)
        if block and (len(block) + 1) * longest > BLOCK_IDS:
            yield block
            block, longest = [], len(words) + 1
        block.append(words)
    if block:
        yield block


@torch.inference_mode()
def _score_block(network: Predictor, sentences: Sequence[Sequence[int]]) -> Floats:
    """Word by word, all sentences together; a row of the state is one beginning, not one sentence."""
    V = network.output_layer.vocabulary_size
    longest = max(map(len, sentences)) + 1
    ids = np.full((len(sentences), longest), END_ID, np.int64)
    for row, words in zip(ids, sentences, strict=True):
        row[: len(words)] = words
    beginning_N = np.zeros(len(sentences), np.int64)
    active = np.arange(len(sentences))
    hidden_BO, state = network.read([])
    found = np.zeros(len(sentences))
    waiting: list[_Asked] = []
    for place in range(longest):
        # A word after a beginning is asked for once, however many sentences have it.
        pairs, which = np.unique(beginning_N[active] * V + ids[active, place], return_inverse=True)
        waiting.append(_Asked(hidden_BO, pairs, active, which))
        if sum(len(asked.hidden_BO) for asked in waiting) >= SOFTMAX_ROWS:
            found += _answers(network, waiting, len(sentences))
            waiting = []
        beginning, word = np.divmod(pairs, V)
        goes_on = word != END_ID
        number = np.cumsum(goes_on) - 1
        still = goes_on[which]
        beginning_N[active[still]] = number[which[still]]
        active = active[still]
        if not len(active):
            break
        state = select_state(state, torch.from_numpy(beginning[goes_on]).to(network.device))
        hidden_1BO, state = network(torch.from_numpy(word[goes_on]).to(network.device).unsqueeze(0), state)
        hidden_BO = hidden_1BO[0]
    return found + _answers(network, waiting, len(sentences)) if waiting else found


def _answers(network: Predictor, waiting: Sequence[_Asked], sentences: int) -> Floats:
    """For each of so many sentences, Σ log p of what is asked for it."""
    V = network.output_layer.vocabulary_size
    rows = np.cumsum([0, *(len(asked.hidden_BO) for asked in waiting)])
    answers = np.cumsum([0, *(len(asked.pairs) for asked in waiting)])
    pairs = np.concatenate([asked.pairs + first * V for asked, first in zip(waiting, rows, strict=False)])
    hidden_BO = torch.cat([asked.hidden_BO for asked in waiting])
    log_probs = _log_probs(network, hidden_BO, *np.divmod(pairs, V))
    places = [asked.pair_of + first for asked, first in zip(waiting, answers, strict=False)]
    found = np.zeros(sentences)
    np.add.at(
        found, np.concatenate([asked.sentences for asked in waiting]), log_probs[np.concatenate(places)]
    )
    return found


def _log_probs(network: Predictor, hidden_BO: Tensor, beginning: Ids, word: Ids) -> Floats:
    """Of each word after the beginning beside it; beginnings ascend, and have a row of `hidden_BO` each."""
    found = np.empty(len(word))
    for start in range(0, len(hidden_BO), SOFTMAX_ROWS):
        first, last = np.searchsorted(beginning, [start, start + SOFTMAX_ROWS])
        rows_BV = network.output_layer.log_probabilities(hidden_BO[start : start + SOFTMAX_ROWS])
        rows = torch.from_numpy(beginning[first:last] - start).to(rows_BV.device)
        columns = torch.from_numpy(word[first:last]).to(rows_BV.device)
        found[first:last] = rows_BV[rows, columns].double().cpu().numpy()
    return found
