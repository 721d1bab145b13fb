"""Log-probabilities of given sentences, batched by length."""

# B = sentences, N = tokens, R = what the output layer reads, C = columns of a measure

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from langmodel.errors import LangModelError
from langmodel.network.cells import State
from langmodel.network.evaluation import EVALUATION_STEPS, read_document
from langmodel.network.output_layer import Readout
from langmodel.network.predictor import Predictor
from langmodel.network.windows import IdArray, sentence_windows
from langmodel.text.vocabulary import END_ID

BLOCK_SENTENCES = 1_024
"""Sentences read ahead, so that like lengths can be scored together; bounds memory on a stream."""

BATCH_SENTENCES = 64

BATCH_TOKENS = 2**14
"""Fewer sentences are scored together where they would take more than this, padding counted."""

EXPECTED = 10
"""How many of the likeliest words are given, where they are asked for."""

Scores = npt.NDArray[np.float64]
"""A row for every word of a sentence and for END; columns as the measure gives them."""

Measure = Callable[[Readout, Tensor, Tensor], Tensor]
"""What makes probabilities, what it is to read (N, R), targets -> numbers for each target, shape (N, C)."""


def log_prob_only(layer: Readout, read_NR: Tensor, targets_N: Tensor) -> Tensor:
    """Natural-log probability; shape (N, 1)."""
    return -layer.token_nll(read_NR, targets_N).unsqueeze(1)


def with_entropy_and_rank(layer: Readout, read_NR: Tensor, targets_N: Tensor) -> Tensor:
    """Natural-log probability, entropy in nats, rank; shape (N, 3)."""
    details_N3 = layer.token_details(read_NR, targets_N)
    return details_N3 * details_N3.new_tensor([-1.0, 1.0, 1.0])


def with_expected_words(layer: Readout, read_NR: Tensor, targets_N: Tensor) -> Tensor:
    """The same, then the ids of the EXPECTED likeliest words and their natural-log probabilities."""
    most = min(EXPECTED, layer.vocabulary_size - 1)  # START has no probability
    ids_NK, log_probs_NK = layer.expected_words(read_NR, most)
    details_N3 = with_entropy_and_rank(layer, read_NR, targets_N)
    return torch.cat([part.double() for part in (details_N3, ids_NK, log_probs_NK)], dim=1)


@torch.inference_mode()
def _score_batch(
    network: Predictor, sentences: Sequence[Sequence[int]], state: State, measure: Measure
) -> tuple[list[Scores], State]:
    parts: list[Scores] = []  # of shape (steps, sentences, columns)
    for window in sentence_windows(sentences, EVALUATION_STEPS):
        steps, batch = window.inputs_TB.shape
        window = window.to(network.device)
        read_TBR, state = network(window.inputs_TB, state)
        measured_NC = measure(network.output_layer, window.real(read_TBR), window.targets_N).double()
        whole = measured_NC.new_zeros(steps * batch, measured_NC.shape[1])
        whole[slice(None) if window.positions_N is None else window.positions_N] = measured_NC
        parts.append(whole.view(steps, batch, -1).cpu().numpy())
    scores = np.concatenate(parts)
    if np.isnan(scores).any():
        raise LangModelError("the network's numbers overflow; its weights are not those of a trained model")
    return [scores[: len(sentence), column].copy() for column, sentence in enumerate(sentences)], state


def score_sentences(
    network: Predictor, sentences: Iterable[Sequence[int]], measure: Measure = log_prob_only
) -> Iterator[Scores]:
    """Measures every word and END, each sentence from the zero state.

    Sentences are ids without END; one float64 array of len + 1 rows for each, in their order. The
    numbers do not depend on the company a sentence is scored in, to rounding.
    """
    waiting = iter(sentences)
    while block := [[*sentence, END_ID] for sentence in islice(waiting, BLOCK_SENTENCES)]:
        order = sorted(range(len(block)), key=lambda index: len(block[index]))
        scored: list[Scores] = [np.empty(0)] * len(block)
        for batch in _batches(order, [len(sentence) for sentence in block]):
            zero = network.zero_state(len(batch))
            rows, _ = _score_batch(network, [block[i] for i in batch], zero, measure)
            for index, row in zip(batch, rows, strict=True):
                scored[index] = row
        yield from scored


def _batches(order: Sequence[int], lengths: Sequence[int]) -> Iterator[list[int]]:
    """Sentences that are scored together; `order` goes from the shortest to the longest."""
    batch: list[int] = []
    for index in order:
        if len(batch) == BATCH_SENTENCES or (batch and (len(batch) + 1) * lengths[index] > BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(index)
    yield batch


def score_document(
    network: Predictor, sentences: Iterable[Sequence[int]], measure: Measure = log_prob_only
) -> Iterator[Scores]:
    """The same with the state carried from each sentence to the next, as one document."""
    state = network.zero_state(1)
    for sentence in sentences:
        (row,), state = _score_batch(network, [[*sentence, END_ID]], state, measure)
        yield row


@torch.inference_mode()
def token_log_probs(network: Predictor, ids: IdArray, context: str) -> npt.NDArray[np.float64]:
    """Natural-log probability of each token of a stream of whole sentences, in order, read in `context`."""
    if context == "sentence":
        sentences = [part[:-1].tolist() for part in np.split(ids, np.flatnonzero(ids == END_ID) + 1)[:-1]]
        return np.concatenate([rows[:, 0] for rows in score_sentences(network, sentences)])
    parts = [
        -network.output_layer.token_nll(hidden_NO, targets_N)
        for hidden_NO, targets_N in read_document(network, ids)
    ]
    return torch.cat(parts).double().cpu().numpy()


MEASURES: dict[str, Measure] = {
    "log_prob": log_prob_only,
    "rank": with_entropy_and_rank,
    "expected": with_expected_words,
}
"""By how much detail is wanted for each word."""
