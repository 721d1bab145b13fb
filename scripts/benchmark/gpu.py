"""The network of the preset `gpu` on a GPU, beside the plain PyTorch loop for the same network.

That loop is PyTorch's float32 as it comes: its LSTM takes TF32, its other products do not.
"""

# T = time, B = batch, E = embedding, V = vocabulary

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from timing import Row, elsewhere, paired, rate_row
from torch import nn
from torch.nn import functional as F
from training import our_steps, zipf_ids

from langmodel.network.device import choose_device
from langmodel.network.windows import DocumentWindows, IdArray
from langmodel.training.config import TrainingConfig, make_config

VOCABULARY_SIZE = 10_001


class PlainStack(nn.Module):
    """Tied embedding, nn.LSTM layers of several sizes, nn.Dropout between them: as one writes it first."""

    def __init__(self, sizes: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY_SIZE, sizes[0])
        self.layers = nn.ModuleList(nn.LSTM(before, after) for before, after in pairwise(sizes))
        self.dropout = nn.Dropout(dropout)
        self.bias = nn.Parameter(torch.zeros(VOCABULARY_SIZE))

    def forward(self, inputs_TB: torch.Tensor, states: list[Any]) -> tuple[torch.Tensor, list[Any]]:
        hidden = self.dropout(self.embedding(inputs_TB))
        after = []
        for layer, state in zip(self.layers, states, strict=True):
            hidden, state = layer(hidden, state)
            hidden = self.dropout(hidden)
            after.append(tuple(part.detach() for part in state))
        return F.linear(hidden.flatten(0, 1), self.embedding.weight, self.bias), after


def plain_stack_steps(config: TrainingConfig, ids: IdArray, device: str) -> Iterator[None]:
    sizes = (config.embedding_size, *config.hidden_size)
    model = PlainStack(sizes, config.dropout_rates[1]).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    states: list[Any] = [None] * len(config.hidden_size)
    epoch = 0
    while True:
        windows = DocumentWindows(ids, batch_size=config.batch_size, bptt=config.bptt)
        for window in windows.epoch(epoch):
            optimizer.zero_grad()
            logits, states = model(window.inputs_TB.to(device), states)
            loss = F.cross_entropy(logits, window.targets_N.to(device))
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), config.clip)
            optimizer.step()
            loss.item()
            _finish(device)
            yield
        epoch += 1


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def gpu() -> Iterator[Row]:
    if not torch.cuda.is_available():
        print("gpu: no CUDA GPU on this machine; nothing is measured")
        return
    choose_device("cuda")
    yield from on_device("cuda", make_config("gpu", None, {}))


def on_device(device: str, config: TrainingConfig) -> Iterator[Row]:
    """With the preset's own dropout of weights, masks and penalties, which the plain loop does without."""
    config = replace(config, random_bptt=False, partial_shuffle=False)
    ids = zipf_ids(config.batch_size * config.bptt * 40, VOCABULARY_SIZE)
    for precision in ("float32", config.precision):
        changed = replace(config, precision=precision)
        steps = our_steps(changed, VOCABULARY_SIZE, ids, device)

        def ours(steps: Iterator[None] = steps) -> None:
            next(steps)
            _finish(device)

        with elsewhere(plain_stack_steps, config, ids, device) as theirs:
            times = paired(ours, theirs, rounds=30)
        sizes = ", ".join(map(str, config.hidden_size))
        name = f"train lstm {sizes} in {precision} on {device}, beside plain PyTorch"
        yield rate_row(name, "tokens/s", config.batch_size * config.bptt, times)
