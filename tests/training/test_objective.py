"""Which part of a step is rounded to bfloat16, by cell and setting."""

import pytest
import torch
from conftest import make_network

from langmodel.network.dropout import NO_DROPOUT
from langmodel.network.output_layer import OutputLayer
from langmodel.network.precision import IN_BFLOAT16
from langmodel.network.windows import Window
from langmodel.training.objective import Objective


@pytest.mark.parametrize(
    ("cell", "bfloat16", "layers", "softmax"),
    [
        ("lstm", False, None, 0),
        ("lstm", True, IN_BFLOAT16, 1),
        ("gru", True, None, 1),
        ("gru", False, None, 0),
    ],
)
def test_what_is_rounded(monkeypatch, cell, bfloat16, layers, softmax):
    network = make_network(cell)
    asked, rounded = [], []
    activations, in_bfloat16 = network.activations, OutputLayer.in_bfloat16
    monkeypatch.setattr(network, "activations", lambda *given: asked.append(given[3]) or activations(*given))
    monkeypatch.setattr(OutputLayer, "in_bfloat16", lambda layer: rounded.append(1) or in_bfloat16(layer))
    window = Window(torch.tensor([[1], [3]]), torch.tensor([3, 2]), None, True)
    nll, _, _ = Objective(network, bfloat16=bfloat16)(window, network.zero_state(1), NO_DROPOUT)
    assert (asked, len(rounded)) == ([layers], softmax)
    assert float(nll.detach()) > 0
