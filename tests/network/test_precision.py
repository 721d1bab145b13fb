import pytest
import torch
from conftest import CELLS, make_network

from langmodel.network.cells import RecurrentLayer
from langmodel.network.dropout import NO_DROPOUT
from langmodel.network.precision import IN_BFLOAT16, HalfPrecision, tf32_products
from langmodel.network.products import HAS_BFLOAT16
from langmodel.network.windows import Window
from langmodel.text.vocabulary import START_ID
from langmodel.training.objective import Objective

TOKENS = 50_000
"""The gradient of a mean over so many tokens is too small for float16."""


def gradients(cell: str, half: HalfPrecision | None, divided_by: float = 1.0) -> list[torch.Tensor]:
    """Hidden states, state, and the gradients of input and weights for a loss that is their weighted mean."""
    generator = torch.Generator().manual_seed(1)
    layer = RecurrentLayer(cell, 8, 16, bias=True)
    layer.initialize(generator)
    inputs = torch.randn(6, 4, 8, generator=generator, requires_grad=True)
    weights = torch.randn(6, 4, 16, generator=generator)
    hidden, after = layer(inputs, layer.zero_state(4), None, half)
    ((hidden * weights).sum() / divided_by).backward()
    parts = [hidden, *after, inputs.grad, *(parameter.grad for parameter in layer.parameters())]
    assert all(part.dtype == torch.float32 for part in parts)
    return [part.detach() for part in parts]


@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_in_float16_computes_what_it_does_in_float32(cell):
    half = gradients(cell, HalfPrecision(TOKENS), divided_by=TOKENS)
    for ours, exact in zip(half, gradients(cell, None, divided_by=TOKENS), strict=True):
        assert (ours - exact).norm() < 3e-3 * exact.norm()


def test_without_their_scale_small_gradients_are_lost():
    *_, unscaled = gradients("lstm", HalfPrecision(1.0), divided_by=1e4 * TOKENS)
    *_, scaled = gradients("lstm", HalfPrecision(1e4 * TOKENS), divided_by=1e4 * TOKENS)
    assert not unscaled.any()
    assert scaled.any()


def test_a_gradient_past_float16_is_infinite_and_so_noticed():
    *_, gradient = gradients("lstm", HalfPrecision(1e6))
    assert not torch.isfinite(gradient).all()


@pytest.mark.parametrize("tied", [True, False])
def test_a_training_step_in_float16_has_nearly_the_gradients_of_float32(tied):
    ids = torch.randint(2, 8, (7, 5), generator=torch.Generator().manual_seed(1))
    inputs, targets = ids[:-1], ids[1:].flatten()
    window = Window(inputs.where(inputs != START_ID, 3), targets, None, True)
    found = []
    for half in (False, True):
        network = make_network(embedding_size=4, tied=tied).train()
        objective = Objective(network, ar=1.0, tar=1.0, float16=half)
        nll, penalty, _ = objective(window, network.zero_state(5), NO_DROPOUT)
        (nll / 30 + penalty).backward()
        found.append((nll.detach(), [parameter.grad for parameter in network.parameters()]))
    (exact_nll, exact), (nll, ours) = found
    assert nll != exact_nll
    torch.testing.assert_close(nll, exact_nll, rtol=1e-3, atol=0)
    for a, b in zip(ours, exact, strict=True):
        assert (a - b).norm() < 1e-2 * b.norm()


def test_tf32_is_for_the_step_alone():
    before = torch.get_float32_matmul_precision()
    with pytest.raises(KeyError), tf32_products():
        assert torch.get_float32_matmul_precision() == "high"
        raise KeyError
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.skipif(not HAS_BFLOAT16, reason="needs a CPU that multiplies bfloat16")
def test_a_large_lstm_layer_in_bfloat16_computes_nearly_what_it_does_in_float32_and_a_small_one_exactly():
    found = {}
    for half in (None, IN_BFLOAT16):
        for size in (16, 200):
            generator = torch.Generator().manual_seed(1)
            layer = RecurrentLayer("lstm", 32, size, bias=True)
            layer.initialize(generator)
            inputs = torch.randn(9, 4, 32, generator=generator, requires_grad=True)
            hidden, after = layer(inputs, layer.zero_state(4), None, half)
            hidden.square().mean().backward()
            parts = [hidden, *after, inputs.grad, *(parameter.grad for parameter in layer.parameters())]
            found[half is None, size] = [part.detach() for part in parts]
    for ours, exact in zip(found[False, 16], found[True, 16], strict=True):
        torch.testing.assert_close(ours, exact, rtol=0, atol=0)
    for ours, exact in zip(found[False, 200], found[True, 200], strict=True):
        assert ours.dtype == torch.float32
        assert 0 < float((ours - exact).norm()) < 2e-2 * float(exact.norm())
