import pytest
import torch
from conftest import make_network
from torch.nn import functional as F

from langmodel.network.dropout import NO_DROPOUT, Dropout, DropoutRates

INPUTS_TB = torch.tensor([[3, 4, 5], [5, 5, 3], [4, 3, 7], [6, 7, 3]])


def dropout(rank: int = 0, ranks: int = 1, **rates: float) -> Dropout:
    return Dropout(DropoutRates(**rates), torch.Generator().manual_seed(3), rank, ranks)


def activations(made: Dropout, cell: str = "lstm", columns: slice = slice(None)):
    network = make_network(cell, hidden_sizes=(6, 5), embedding_size=5, vocabulary_size=8)
    inputs = INPUTS_TB[:, columns]
    return network.activations(inputs, network.zero_state(inputs.shape[1]), made)


@pytest.mark.parametrize("kind", ["input", "hidden", "output", "word", "weight"])
def test_each_kind_changes_what_is_read_and_only_from_its_place_on(kind):
    without, with_it = activations(NO_DROPOUT), activations(dropout(**{kind: 0.5}))
    assert not torch.equal(without.read_TBO, with_it.read_TBO)
    assert torch.equal(without.last_TBH, with_it.last_TBH) == (kind == "output")


def test_a_unit_is_dropped_in_all_steps_of_a_window_and_the_rest_is_scaled_up():
    found = activations(dropout(output=0.5))
    ratio = found.dropped_TBH / found.last_TBH
    assert torch.equal(ratio.unique(), torch.tensor([0.0, 2.0]))
    assert torch.equal(ratio, ratio[:1].expand_as(ratio))
    assert not torch.equal(ratio[0, 0], ratio[0, 1])  # columns have masks of their own


def test_a_dropped_word_is_zero_wherever_it_stands():
    weight_VE = torch.ones(8, 5)
    embedded_TBE = dropout(word=0.5).words(F.embedding(INPUTS_TB, weight_VE), INPUTS_TB, len(weight_VE))
    for word in INPUTS_TB.unique():
        rows = embedded_TBE[word == INPUTS_TB]
        assert torch.equal(rows, rows[:1].expand_as(rows))
        assert set(rows.unique().tolist()) in ({0.0}, {2.0})
    assert len(embedded_TBE.unique()) == 2


def test_dropped_weights_have_no_gradient_and_the_others_a_scaled_one():
    weight_GH = torch.ones(12, 7, requires_grad=True)
    masked_GH = dropout(weight=0.25).weights(weight_GH)
    masked_GH.sum().backward()
    assert torch.equal(weight_GH.grad, masked_GH.detach())
    assert sorted(masked_GH.unique().tolist()) == pytest.approx([0, 4 / 3])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_gradients_go_through_every_kind(cell):
    network = make_network(cell, hidden_sizes=(6,), embedding_size=5, vocabulary_size=8).double()
    rates = {"input": 0.3, "output": 0.3, "word": 0.2, "weight": 0.3}

    def read(weight_hh: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        parameters = {"layers.0.weight_hh": weight_hh, "embedding": embedding}
        call = torch.nn.utils.stateless._reparametrize_module
        with call(network, parameters):
            return network.activations(INPUTS_TB, network.zero_state(3), dropout(**rates)).read_TBO

    tensors = [network.layers[0].weight_hh, network.embedding]
    assert torch.autograd.gradcheck(read, [t.detach().clone().requires_grad_() for t in tensors])


def test_two_processes_drop_what_one_alone_would():
    rates = {"input": 0.5, "hidden": 0.5, "output": 0.5, "word": 0.3, "weight": 0.4}
    whole = dropout(**rates).units(torch.ones(4, 6, 5), 0.5)
    parts = [dropout(rank, 3, **rates).units(torch.ones(4, 2, 5), 0.5) for rank in range(3)]
    assert torch.equal(torch.cat(parts, dim=1), whole)
