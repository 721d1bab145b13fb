"""The oracle and the fast network agree to 1e-10 in float64."""

import numpy as np
import pytest
import torch
from conftest import REFERENCED, make_network

from langmodel.errors import ConfigError
from langmodel.reference import LSTMCell, ReferenceLM, from_network, to_network
from langmodel.text.vocabulary import START_ID

SHAPES = [
    {},
    {"embedding_size": 0},
    {"embedding_size": 0, "bias": False},
    {"hidden_sizes": (4, 3)},
    {"tied": True, "embedding_size": 4},
    {"bias": False},
]
INPUTS, TARGETS = [START_ID, 3, 5, 4, 7], [3, 5, 4, 7, 2]
NAMES = {"W_x": "weight_ih", "W_s": "weight_hh", "b_x": "bias_ih", "b_s": "bias_hh"}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", REFERENCED)
def test_the_same_weights_give_the_same_probabilities_and_gradients(cell, shape):
    network = make_network(cell, **shape).double()
    model = from_network(network)
    hidden, _ = network(torch.tensor(INPUTS).unsqueeze(1), network.zero_state(1))
    hidden = hidden[:, 0]
    ours = network.output_layer.log_probabilities(hidden).exp().detach().numpy()
    theirs, _ = model.forward(INPUTS)
    assert np.abs(ours - theirs).max() < 1e-10

    network.output_layer.nll_sum(hidden, torch.tensor(TARGETS)).backward()
    found = {name: parameter.grad.numpy() for name, parameter in network.named_parameters()}
    expected = model.gradients(INPUTS, TARGETS)
    embedding = expected["E"] if "E" in expected else expected["U"].T
    if network.architecture.tied:
        embedding = embedding + expected["V"]
    else:
        assert np.abs(found["output"] - expected["V"]).max() < 1e-10
    assert np.abs(found["embedding"] - embedding).max() < 1e-10
    for name, gradient in expected.items():
        layer, _, part = name.partition(".")
        if part:
            assert np.abs(found[f"layers.{layer}.{NAMES[part]}"] - gradient).max() < 1e-10
    if network.architecture.bias:
        assert np.abs(found["output_bias"] - expected["c"]).max() < 1e-10


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if not shape.get("tied")], ids=str)
@pytest.mark.parametrize("cell", REFERENCED)
def test_there_and_back_again(cell, shape):
    network = make_network(cell, **shape)
    again = to_network(from_network(network))
    for name, tensor in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_what_the_other_does_not_have_is_refused():
    with pytest.raises(ConfigError, match="projection"):
        from_network(make_network(tied=True, embedding_size=7))
    with pytest.raises(ConfigError, match="plain LSTM"):
        to_network(ReferenceLM(6, (3,), LSTMCell(peepholes=True), banned=[START_ID]))
    with pytest.raises(ConfigError, match="bans"):
        to_network(ReferenceLM(6, (3,)))
