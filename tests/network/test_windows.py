import itertools

import numpy as np
import pytest
import torch
from conftest import CELLS, make_network
from hypothesis import given
from hypothesis import strategies as st

from langmodel.network.evaluation import evaluate_windows, evaluation_windows
from langmodel.network.windows import DocumentWindows, SentenceWindows
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

sentences_of_ids = st.lists(st.lists(st.sampled_from([0, 3, 4, 5]), max_size=6), min_size=1, max_size=20)


def stream(sentences) -> np.ndarray:
    return np.array([id for s in sentences for id in [*s, END_ID]], np.uint16)


def test_a_hand_worked_document():
    windows = list(DocumentWindows(stream([[3, 4], [5]]), batch_size=1, bptt=2).epoch(0))
    assert [w.inputs_TB.flatten().tolist() for w in windows] == [[START_ID, 3], [4, START_ID], [5]]
    assert [w.targets_N.tolist() for w in windows] == [[3, 4], [END_ID, 5], [END_ID]]
    assert [w.fresh for w in windows] == [True, False, False]


def test_a_hand_worked_batch_of_sentences():
    windows = list(SentenceWindows(stream([[3, 4], [5]]), batch_size=2, bptt=9, shuffle_seed=None).epoch(0))
    (window,) = windows
    assert window.inputs_TB.t().tolist()[0][:2] == [START_ID, 5]  # the shorter sentence first
    assert window.inputs_TB.t().tolist()[1] == [START_ID, 3, 4]
    assert sorted(window.targets_N.tolist()) == [END_ID, END_ID, 3, 4, 5]
    assert window.tokens == 5


@given(sentences_of_ids, st.integers(1, 4), st.integers(1, 5))
def test_document_columns_put_together_are_the_stream(sentences, columns, bptt):
    ids = stream(sentences)
    columns = min(columns, len(ids))
    windows = DocumentWindows(ids, batch_size=columns, bptt=bptt)
    made = list(windows.epoch(0))
    assert len(made) == windows.count(0)
    targets = torch.cat([w.targets_N.view(w.inputs_TB.shape) for w in made]).t().flatten().tolist()
    assert targets == ids[: windows.tokens].tolist()
    assert len(ids) - windows.tokens < columns
    inputs = torch.cat([w.inputs_TB for w in made]).t().flatten().tolist()
    shifted = [START_ID if id == END_ID else id for id in [END_ID, *ids[:-1].tolist()]]
    assert inputs == shifted[: windows.tokens]


@given(sentences_of_ids, st.integers(1, 4), st.integers(1, 5), st.sampled_from([None, 1, 2]))
def test_every_target_of_every_sentence_comes_once(sentences, batch_size, bptt, seed):
    windows = SentenceWindows(stream(sentences), batch_size=batch_size, bptt=bptt, shuffle_seed=seed)
    made = list(windows.epoch(3))
    assert len(made) == windows.count(0)
    assert sum(w.tokens for w in made) == windows.tokens == len(stream(sentences))
    counts = np.bincount(np.concatenate([w.targets_N.numpy() for w in made]), minlength=6)
    assert counts.tolist() == np.bincount(stream(sentences), minlength=6).tolist()
    assert all(window.inputs_TB.shape[0] <= bptt for window in made)


@given(sentences_of_ids, st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_an_epoch_can_be_entered_anywhere(sentences, batch_size, bptt, by_sentence):
    ids = stream(sentences)
    if by_sentence:
        windows = SentenceWindows(ids, batch_size=batch_size, bptt=bptt, shuffle_seed=7)
    else:
        windows = DocumentWindows(ids, batch_size=min(batch_size, len(ids)), bptt=bptt)
    whole = list(windows.epoch(2))
    for start in range(len(whole) + 1):
        rest = list(windows.epoch(2, start))
        for ours, expected in itertools.zip_longest(rest, whole[start:]):
            assert torch.equal(ours.inputs_TB, expected.inputs_TB)
            assert torch.equal(ours.targets_N, expected.targets_N)
            assert ours.fresh == expected.fresh


def test_epochs_are_dealt_anew_and_the_same_again():
    ids = stream([[3 + n % 3] * (n % 4) for n in range(50)])
    windows = SentenceWindows(ids, batch_size=3, bptt=9, shuffle_seed=1)

    def order(epoch: int) -> list[list[int]]:
        return [w.targets_N.tolist() for w in windows.epoch(epoch)]

    assert order(0) == order(0)
    assert order(0) != order(1)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("context", ["document", "sentence"])
def test_evaluation_is_the_sum_over_words_one_by_one(cell, context):
    network = make_network(cell).double()
    sentences = [[3, 4, 0], [5], [], [6, 7, 3, 3]]
    expected = oov = 0.0
    state = network.zero_state(1)
    for sentence in sentences:
        if context == "sentence":
            state = network.zero_state(1)
        for read, target in zip([START_ID, *sentence], [*sentence, END_ID], strict=True):
            hidden, state = network(torch.tensor([[read]]), state)
            logits = hidden[0] @ network.output_weight.t() + network.output_bias
            logits[:, START_ID] = -torch.inf
            nll = -logits.log_softmax(1)[0, target].item()
            expected += nll
            oov += nll if target == UNK_ID else 0.0
    result = evaluate_windows(network, evaluation_windows(stream(sentences), context, columns=1))
    assert result.nll == pytest.approx(expected, rel=1e-12)
    assert result.oov_nll == pytest.approx(oov, rel=1e-12)
    assert (result.tokens, result.oov) == (12, 1)


def test_sentences_evaluate_the_same_in_any_company():
    network = make_network("gru").double()
    ids = stream([[3] * n for n in (5, 1, 0, 9, 2)])
    alone = evaluate_windows(network, evaluation_windows(ids, "sentence", columns=1))
    together = evaluate_windows(network, evaluation_windows(ids, "sentence", columns=5))
    assert alone.nll == pytest.approx(together.nll, rel=1e-12)


def read_columns(windows: DocumentWindows, epoch: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of an epoch put together, shape (steps, columns)."""
    made = list(windows.epoch(epoch))
    inputs = np.concatenate([window.inputs_TB.numpy() for window in made])
    return inputs, np.concatenate([window.targets_N.numpy().reshape(-1, columns) for window in made])


def test_partial_shuffle_reads_every_column_round_from_another_place():
    ids = np.arange(3, 63, dtype=np.uint16)
    plain = read_columns(DocumentWindows(ids, batch_size=3, bptt=7), 0, 3)[1]
    windows = DocumentWindows(ids, batch_size=3, bptt=7, shuffle_seed=5)
    offsets = []
    for epoch in range(4):
        inputs, targets = read_columns(windows, epoch, 3)
        for column in range(3):
            offset = int(np.flatnonzero(plain[:, column] == targets[0, column])[0])
            offsets.append(offset)
            assert np.array_equal(np.roll(plain[:, column], -offset), targets[:, column])
            assert np.array_equal(inputs[1:, column], targets[:-1, column])
        assert np.array_equal(targets, read_columns(windows, epoch, 3)[1])
    assert len(set(offsets)) > 6


def test_random_lengths_cover_the_stream_once_and_differ_between_epochs():
    ids = np.arange(3, 2_003, dtype=np.uint16)
    windows = DocumentWindows(ids, batch_size=2, bptt=40, length_seed=1)
    lengths = []
    for epoch in range(3):
        made = [len(window.inputs_TB) for window in windows.epoch(epoch)]
        assert len(made) == windows.count(epoch)
        assert np.array_equal(
            read_columns(windows, epoch, 2)[1],
            read_columns(DocumentWindows(ids, batch_size=2, bptt=9), 0, 2)[1],
        )
        lengths.append(made)
    whole = [length for made in lengths for length in made[:-1]]
    assert lengths[0] != lengths[1]
    assert min(whole) >= 5
    assert 30 < np.mean(whole) < 42
    assert np.std(whole) > 3


def test_an_epoch_of_random_windows_can_be_taken_up_in_the_middle():
    ids = np.arange(3, 503, dtype=np.uint16)
    windows = DocumentWindows(ids, batch_size=2, bptt=20, shuffle_seed=2, length_seed=1)
    whole, rest = list(windows.epoch(1)), list(windows.epoch(1, 4))
    assert [w.targets_N.tolist() for w in whole[4:]] == [w.targets_N.tolist() for w in rest]


def test_the_columns_of_all_processes_make_up_the_window():
    ids = np.arange(3, 63, dtype=np.uint16)
    settings = {"batch_size": 6, "bptt": 4, "shuffle_seed": 1}
    shared = [DocumentWindows(ids, **settings, rank=rank, ranks=3) for rank in range(3)]
    assert {windows.tokens for windows in shared} == {60}
    for window, *parts in zip(
        DocumentWindows(ids, **settings).epoch(1), *(w.epoch(1) for w in shared), strict=True
    ):
        assert np.array_equal(np.concatenate([p.inputs_TB for p in parts], 1), window.inputs_TB)
        targets = [part.targets_N.view(-1, 2) for part in parts]
        assert np.array_equal(np.concatenate(targets, 1).ravel(), window.targets_N)
