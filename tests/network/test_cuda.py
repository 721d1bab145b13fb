"""What only a GPU can show: that it computes what the CPU does, and the same bits every time."""

from dataclasses import replace

import pytest
import torch
from conftest import CELLS, make_network

from langmodel.network.device import choose_device
from langmodel.network.output_layer import OutputLayer
from langmodel.network.precision import HalfPrecision
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.training.config import TrainingConfig
from langmodel.training.presets import PRESETS
from langmodel.training.progress import Evaluation
from langmodel.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

IDS = torch.randint(2, 500, (6_000,), generator=torch.Generator().manual_seed(1)).numpy().astype("uint16")


@pytest.fixture
def cuda() -> torch.device:
    return choose_device("cuda")


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_computes_on_the_gpu_what_it_does_on_the_cpu(cell, cuda):
    ids = torch.randint(2, 8, (30, 4), generator=torch.Generator().manual_seed(1))
    targets = ids[1:].flatten()
    found = []
    for device in (torch.device("cpu"), cuda):
        network = make_network(cell).to(device).train()
        hidden, _ = network(ids[:-1].to(device), network.zero_state(4))
        weight, bias = network.output_weight, network.output_bias
        nll = OutputLayer(weight, bias).nll_sum(hidden.flatten(0, 1), targets.to(device))
        nll.backward()
        each = OutputLayer(weight.detach(), bias.detach()).token_nll(
            hidden.flatten(0, 1).detach(), targets.to(device)
        )
        found.append([nll.detach(), each, *(parameter.grad for parameter in network.parameters())])
    for ours, exact in zip(*reversed(found), strict=True):
        torch.testing.assert_close(ours.cpu(), exact, rtol=1e-4, atol=1e-5)


def small(preset: str) -> TrainingConfig:
    """A preset's settings with a network and a batch that are tried in a second, on the same kernels."""
    settings = PRESETS[preset].settings | {"embedding_size": 256, "hidden_size": (256,), "batch_size": 8}
    return replace(TrainingConfig(**settings), epochs=2, evaluate_every=0, patience=0)


class Recorder:
    """Keeps the losses and the last saved state; asks for a stop after some steps."""

    def __init__(self, last_step: int) -> None:
        self.left = last_step
        self.losses: list[float] = []
        self.state = None

    def on_start(self, untrained_loss: float, total_tokens: int) -> None: ...

    def on_step(self, loss: float, tokens: int) -> None:
        self.losses.append(loss)
        self.left -= 1

    def on_evaluation(self, evaluation: Evaluation) -> None: ...

    def on_save(self, state) -> None:
        self.state = state


def network_of(config: TrainingConfig, device: torch.device) -> RecurrentLM:
    return RecurrentLM(config.architecture(500), torch.Generator().manual_seed(1)).to(device)


def trained(config: TrainingConfig, device: torch.device, interrupted_after: int = 0) -> list[torch.Tensor]:
    """Losses, weights and averaged weights of a whole run, or of one that was stopped and taken up."""
    network, state, losses = network_of(config, device), None, []
    for last_step in (interrupted_after, 10_000) if interrupted_after else (10_000,):
        if state is not None:
            weights = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
            network = network_of(config, device)
            network.load_state_dict(weights)
        recorder = Recorder(last_step)
        trainer = Trainer(network, IDS, IDS[:300], config, state)
        trainer.train(recorder, should_stop=lambda r=recorder: r.left <= 0)
        state = recorder.state
        losses += recorder.losses
    weights = [*network.parameters(), *trainer.judged.parameters()]
    return [torch.tensor(losses), *(weight.detach().cpu() for weight in weights)]


@pytest.mark.parametrize("preset", ["small", "gpu"])
def test_a_gpu_gives_the_same_bits_every_time_also_when_it_was_stopped(preset, cuda):
    once = trained(small(preset), cuda)
    for again in (trained(small(preset), cuda), trained(small(preset), cuda, interrupted_after=9)):
        assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))


def test_float16_trains_as_float32_does(cuda):
    half, exact = (
        trained(replace(small("gpu"), precision=precision), cuda)[0] for precision in ("float16", "float32")
    )
    assert not torch.equal(half, exact)
    torch.testing.assert_close(half, exact, rtol=1e-2, atol=0)


def test_the_persistent_kernels_of_cudnn_are_reached(cuda):
    """float16, sizes that are multiples of 128 and columns of 8: what cuDNN asks for."""
    layer = make_network(embedding_size=512, hidden_sizes=(512,)).to(cuda).train()._layers()[0]
    inputs = torch.randn(70, 40, 512, device=cuda)
    activities = [torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities, acc_events=True) as profile:
        layer(inputs, layer.zero_state(40), None, HalfPrecision(1.0))[0].sum().backward()
        torch.cuda.synchronize()
    names = [event.key.lower() for event in profile.key_averages()]
    assert any("persist" in name for name in names), names
