"""Log-probabilities of given sentences, batched by length."""

# B = sentences, N = tokens

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch

from langmodel.network.cells import State
from langmodel.network.evaluation import EVALUATION_STEPS
from langmodel.network.likelihood import token_nll
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import sentence_windows
from langmodel.text.vocabulary import END_ID

BLOCK_SENTENCES = 2_048
"""Sentences read ahead, so that like lengths can be scored together; bounds memory on a stream."""

BATCH_SENTENCES = 64

LogProbs = npt.NDArray[np.float64]


@torch.inference_mode()
def _score_batch(
    network: RecurrentLM, sentences: Sequence[Sequence[int]], state: State
) -> tuple[list[LogProbs], State]:
    rows = [np.empty(len(sentence)) for sentence in sentences]
    flat = np.zeros((max(map(len, sentences)), len(sentences)))
    first = 0
    for window in sentence_windows(sentences, EVALUATION_STEPS):
        steps = window.inputs_TB.shape[0]
        window = window.to(network.device)
        hidden_TBO, state = network(window.inputs_TB, state)
        nll_N = token_nll(
            window.real(hidden_TBO), network.output_weight, network.output_bias, window.targets_N
        )
        part = flat[first : first + steps].reshape(-1)
        if window.positions_N is None:
            part[:] = nll_N.double().cpu().numpy()
        else:
            part[window.positions_N.cpu().numpy()] = nll_N.double().cpu().numpy()
        first += steps
    for column, row in enumerate(rows):
        row[:] = -flat[: len(row), column]
    return rows, state


def score_sentences(network: RecurrentLM, sentences: Iterable[Sequence[int]]) -> Iterator[LogProbs]:
    """Natural-log probability of every word and of END, each sentence from the zero state.

    Sentences are ids without END; one float64 array of len + 1 for each, in their order. The numbers
    do not depend on the company a sentence is scored in, to rounding.
    """
    waiting = iter(sentences)
    while block := [[*sentence, END_ID] for sentence in islice(waiting, BLOCK_SENTENCES)]:
        order = sorted(range(len(block)), key=lambda index: len(block[index]))
        scored: list[LogProbs] = [np.empty(0)] * len(block)
        for start in range(0, len(order), BATCH_SENTENCES):
            batch = order[start : start + BATCH_SENTENCES]
            rows, _ = _score_batch(network, [block[i] for i in batch], network.zero_state(len(batch)))
            for index, row in zip(batch, rows, strict=True):
                scored[index] = row
        yield from scored


def score_document(network: RecurrentLM, sentences: Iterable[Sequence[int]]) -> Iterator[LogProbs]:
    """The same with the state carried from each sentence to the next, as one document."""
    state = network.zero_state(1)
    for sentence in sentences:
        (row,), state = _score_batch(network, [[*sentence, END_ID]], state)
        yield row
