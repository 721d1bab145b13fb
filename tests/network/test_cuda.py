"""What only a GPU can show: that it computes what the CPU does, and the same bits every time."""

from dataclasses import replace

import pytest
import torch
from conftest import CELLS, make_network

from langmodel.network.likelihood import nll_sum, token_nll
from langmodel.network.precision import HalfPrecision
from langmodel.training.config import TrainingConfig
from langmodel.training.presets import PRESETS
from langmodel.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

CUDA = torch.device("cuda")

IDS = torch.randint(2, 500, (6_000,), generator=torch.Generator().manual_seed(1)).numpy().astype("uint16")


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_computes_on_the_gpu_what_it_does_on_the_cpu(cell):
    ids = torch.randint(2, 8, (30, 4), generator=torch.Generator().manual_seed(1))
    targets = ids[1:].flatten()
    found = []
    for device in (torch.device("cpu"), CUDA):
        network = make_network(cell).to(device).train()
        hidden, _ = network(ids[:-1].to(device), network.zero_state(4))
        weight, bias = network.output_weight, network.output_bias
        nll = nll_sum(hidden.flatten(0, 1), weight, bias, targets.to(device))
        nll.backward()
        each = token_nll(hidden.flatten(0, 1).detach(), weight.detach(), bias.detach(), targets.to(device))
        found.append([nll.detach(), each, *(parameter.grad for parameter in network.parameters())])
    for ours, exact in zip(*reversed(found), strict=True):
        torch.testing.assert_close(ours.cpu(), exact, rtol=1e-4, atol=1e-5)


def small(preset: str) -> TrainingConfig:
    """A preset's settings with a network and a batch that are tried in a second."""
    settings = PRESETS[preset].settings | {"embedding_size": 128, "hidden_size": (128,), "batch_size": 8}
    return replace(TrainingConfig(**settings), epochs=2, evaluate_every=0)


def trained(config: TrainingConfig) -> tuple[float, list[torch.Tensor]]:
    network = make_network(
        vocabulary_size=500, embedding_size=config.embedding_size, hidden_sizes=config.hidden_size, tied=True
    ).to(CUDA)
    trainer = Trainer(network, IDS, IDS[:0], config)
    network.train()
    windows = trainer._windows.epoch(0)
    losses = [trainer.train_step(window) for window, _ in zip(windows, range(8), strict=False)]
    return losses[-1], [parameter.detach().cpu() for parameter in network.parameters()]


@pytest.mark.parametrize("preset", ["small", "gpu"])
def test_a_gpu_gives_the_same_bits_every_time(preset):
    (loss, weights), (again, weights_again) = trained(small(preset)), trained(small(preset))
    assert loss == again
    assert all(torch.equal(a, b) for a, b in zip(weights, weights_again, strict=True))


def test_float16_trains_as_float32_does():
    config = replace(small("gpu"), weight_drop=0.0)
    half, _ = trained(config)
    exact, _ = trained(replace(config, precision="float32"))
    assert half != exact
    assert half == pytest.approx(exact, rel=0.01)


def test_the_persistent_kernels_of_cudnn_are_reached():
    """H, input and batch are what cudnn asks for: multiples of 128 and of 8."""
    layer = make_network(embedding_size=512, hidden_sizes=(512,)).to(CUDA).train()._layers()[0]
    inputs = torch.randn(70, 40, 512, device=CUDA)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        layer(inputs, layer.zero_state(40), None, HalfPrecision(1.0))[0].sum().backward()
        torch.cuda.synchronize()
    names = [event.key.lower() for event in profile.key_averages()]
    assert any("persist" in name for name in names), names
