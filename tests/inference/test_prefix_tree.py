import numpy as np
import pytest
import torch
from conftest import CELLS, make_model, make_network
from hypothesis import given
from hypothesis import strategies as st

from langmodel.inference import prefix_tree
from langmodel.inference.prefix_tree import score_prefix_tree
from langmodel.inference.scoring import score_sentences

WORDS = st.sampled_from([0, 3, 4, 5, 6, 7])
NETWORKS = {cell: make_network(cell, hidden_sizes=(4, 3)) for cell in CELLS}


@given(st.lists(st.lists(WORDS, max_size=6), min_size=1, max_size=30), st.sampled_from(CELLS))
def test_shared_beginnings_change_no_score(sentences, cell):
    network = NETWORKS[cell]
    alone = [float(rows.sum()) for rows in score_sentences(network, sentences)]
    assert score_prefix_tree(network, sentences) == pytest.approx(alone, abs=1e-4)


def test_blocks_change_no_score(monkeypatch):
    sentences = np.random.default_rng(1).integers(3, 8, (40, 7)).tolist()
    whole = score_prefix_tree(NETWORKS["lstm"], sentences)
    monkeypatch.setattr(prefix_tree, "BLOCK_IDS", 7 * 8)
    monkeypatch.setattr(prefix_tree, "SOFTMAX_ROWS", 3)
    assert score_prefix_tree(NETWORKS["lstm"], sentences) == pytest.approx(whole, abs=1e-5)


def test_a_shared_beginning_is_read_once():
    network = NETWORKS["lstm"]
    read: list[int] = []
    hook = network.register_forward_hook(lambda module, inputs, output: read.append(inputs[0].numel()))
    try:
        score_prefix_tree(network, [[3, 4, 5, id] for id in (3, 4, 5, 6, 7)] * 4)
    finally:
        hook.remove()
    assert sum(read) == 1 + 3 + 5  # START, three words that all share, five that differ


def test_the_language_model_scores_texts_together_as_it_does_alone():
    lm = make_model()
    texts = ["a b", "a b c", "", "a zzz", "a b"]
    assert lm.log_probs(texts) == pytest.approx([lm.score(text).log_prob for text in texts], abs=1e-5)
    assert lm.log_probs([]) == []
    assert torch.is_grad_enabled()
