"""Log-probabilities of sentences that begin alike, each beginning computed once: n-best lists."""

# B = different beginnings, O = output width, V = vocabulary, A = words asked for after beginnings

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from langmodel.network.cells import select_state
from langmodel.network.likelihood import log_probabilities
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.text.vocabulary import END_ID

BLOCK_SENTENCES = 2_048
"""Sentences whose beginnings are compared; bounds memory."""

SOFTMAX_ROWS = 512
"""Distributions held at once."""

Ids = npt.NDArray[np.int64]


def score_prefix_tree(network: RecurrentLM, sentences: Sequence[Sequence[int]]) -> list[float]:
    """Natural-log probability of each sentence (ids without END) and its END, from the zero state."""
    found: list[float] = []
    for start in range(0, len(sentences), BLOCK_SENTENCES):
        found += _score_block(network, sentences[start : start + BLOCK_SENTENCES])
    return found


@torch.inference_mode()
def _score_block(network: RecurrentLM, sentences: Sequence[Sequence[int]]) -> list[float]:
    """Word by word, all sentences together; a row of the state is one beginning, not one sentence."""
    V = network.architecture.vocabulary_size
    longest = max(map(len, sentences)) + 1
    ids = np.full((len(sentences), longest), END_ID, np.int64)
    for row, words in zip(ids, sentences, strict=True):
        row[: len(words)] = words
    beginning_N = np.zeros(len(sentences), np.int64)
    active = np.arange(len(sentences))
    hidden_BO, state = network.read([])
    hidden: list[Tensor] = []  # of all beginnings, shorter ones first
    asked: list[Ids] = []  # words after beginnings: number of the beginning among all · V + word
    sentence: list[Ids] = []  # whose word it is, and
    answer: list[Ids] = []  # where it stands among those that are asked
    beginnings = answers = 0
    for place in range(longest):
        # A word after a beginning is asked for once, however many sentences have it.
        pairs, which = np.unique(beginning_N[active] * V + ids[active, place], return_inverse=True)
        hidden.append(hidden_BO)
        asked.append(pairs + beginnings * V)
        sentence.append(active)
        answer.append(which + answers)
        beginnings, answers = beginnings + len(hidden_BO), answers + len(pairs)
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
    answers_A = _log_probs(network, torch.cat(hidden), *np.divmod(np.concatenate(asked), V))
    found = np.bincount(np.concatenate(sentence), answers_A[np.concatenate(answer)], len(sentences))
    return [float(log_prob) for log_prob in found]


def _log_probs(network: RecurrentLM, hidden_BO: Tensor, beginning: Ids, word: Ids) -> npt.NDArray[np.float64]:
    """Of each word after the beginning beside it; beginnings ascend, and have a row of `hidden_BO` each."""
    found = np.empty(len(word))
    for start in range(0, len(hidden_BO), SOFTMAX_ROWS):
        first, last = np.searchsorted(beginning, [start, start + SOFTMAX_ROWS])
        rows_BV = log_probabilities(
            hidden_BO[start : start + SOFTMAX_ROWS], network.output_weight, network.output_bias
        )
        rows = torch.from_numpy(beginning[first:last] - start).to(rows_BV.device)
        columns = torch.from_numpy(word[first:last]).to(rows_BV.device)
        found[first:last] = rows_BV[rows, columns].double().cpu().numpy()
    return found
