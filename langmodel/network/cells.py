"""The table of cells, one recurrent layer, and the state that it carries."""

# T = time, B = batch, I = input, H = hidden, G = gates × H

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from langmodel.network.precision import HalfPrecision
from langmodel.network.products import linear
from langmodel.network.recurrence import GRURecurrence, RNNRecurrence

LayerState = tuple[Tensor, ...]
"""What a layer hands to the next step: (h,), or (h, c) for an LSTM; each of shape (B, H)."""

State = tuple[LayerState, ...]
"""A LayerState for every layer, first to last."""


@dataclass(frozen=True)
class Cell:
    """A recurrent cell: how many gates and states it has, and what runs it.

    The recurrence is all that a cell needs, and may leave its gradient to PyTorch; the rest is for speed.
    """

    gates: int
    states: int
    recurrence: Callable[[Tensor, Any, Tensor | None, LayerState], tuple[Tensor, LayerState]]
    """Gate inputs of shape (T, B, G), recurrent weight, recurrent bias and state -> h of all steps, state."""
    has_recurrent_weight: bool = True
    """Whether gates see the previous state through a matrix; if not, the recurrence gets None for it."""
    native: Callable[..., Any] | None = None
    """PyTorch's whole-sequence function: cuDNN on a GPU; oneDNN on a CPU for the LSTM alone."""
    native_on_cpu: bool = False


def _rnn(
    input_TBG: Tensor, weight: Tensor, bias: Tensor | None, state: LayerState
) -> tuple[Tensor, LayerState]:
    if bias is not None:
        input_TBG = input_TBG + bias
    hidden: Tensor = RNNRecurrence.apply(input_TBG, weight, *state)  # type: ignore[no-untyped-call]
    return hidden, (hidden[-1],)


def _gru(
    input_TBG: Tensor, weight: Tensor, bias: Tensor | None, state: LayerState
) -> tuple[Tensor, LayerState]:
    H = weight.shape[1]
    if bias is None:
        bias = weight.new_zeros(3 * H)
    else:
        input_TBG = input_TBG + torch.cat([bias[: 2 * H], bias.new_zeros(H)])
    hidden: Tensor = GRURecurrence.apply(input_TBG, weight, bias[2 * H :], *state)  # type: ignore[no-untyped-call]
    return hidden, (hidden[-1],)


def _lstm(
    input_TBG: Tensor, weight: Tensor, bias: Tensor | None, state: LayerState
) -> tuple[Tensor, LayerState]:
    """i, f, g, o = σ, σ, tanh, σ of (x + h Uᵀ); c' = f ⊙ c + i ⊙ g; h' = o ⊙ tanh(c').

    Hochreiter and Schmidhuber 1997 with Gers et al. 2000. Only a layer with one-hot input comes here.
    """
    if bias is not None:
        input_TBG = input_TBG + bias
    hidden, cell = state
    outputs = []
    for x in input_TBG.unbind(0):
        i, f, g, o = torch.addmm(x, hidden, weight.t()).chunk(4, 1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        outputs.append(hidden)
    return torch.stack(outputs), (hidden, cell)


def _mingru(
    input_TBG: Tensor, weight: None, bias: Tensor | None, state: LayerState
) -> tuple[Tensor, LayerState]:
    """z, n = σ(x_z), x_n; h' = (1 - z) ⊙ h + z ⊙ n (Feng et al. 2024).

    Gates do not see the state, so that all steps are computed together, in log2(T) sweeps over the whole.
    """
    if bias is not None:
        input_TBG = input_TBG + bias
    z, n = input_TBG.chunk(2, -1)
    z = z.sigmoid()
    hidden = scan(1 - z, z * n, state[0])
    return hidden, (hidden[-1],)


def scan(keep_TBH: Tensor, add_TBH: Tensor, initial_BH: Tensor) -> Tensor:
    """h_t = keep_t ⊙ h_{t-1} + add_t for all t, shape (T, B, H) (Hillis and Steele 1986)."""
    sums = torch.cat([(keep_TBH[:1] * initial_BH + add_TBH[:1]), add_TBH[1:]])
    reach = 1
    while reach < len(sums):
        sums = torch.cat([sums[:reach], torch.addcmul(sums[reach:], keep_TBH[reach:], sums[:-reach])])
        keep_TBH = torch.cat([keep_TBH[:reach], keep_TBH[reach:] * keep_TBH[:-reach]])
        reach *= 2
    return sums


CELLS: dict[str, Cell] = {
    "rnn": Cell(1, 1, _rnn, native=torch.rnn_tanh),
    "gru": Cell(3, 1, _gru, native=torch.gru),
    "lstm": Cell(4, 2, _lstm, native=torch.lstm, native_on_cpu=True),
    "mingru": Cell(2, 1, _mingru, has_recurrent_weight=False),
}


def uniform_(tensor: Tensor, bound: float, generator: torch.Generator | None) -> None:
    with torch.no_grad():
        tensor.uniform_(-bound, bound, generator=generator)


class RecurrentLayer(nn.Module):
    """One layer of a cell over a whole window. Weights are laid out as in PyTorch's own layers.

    `input_size` None: the input already is every gate's share, and there is no input weight.
    """

    def __init__(self, cell: str, input_size: int | None, hidden_size: int, *, bias: bool) -> None:
        super().__init__()
        self.cell = CELLS[cell]
        self.hidden_size = hidden_size
        rows = self.cell.gates * hidden_size
        self.weight_ih = None if input_size is None else nn.Parameter(torch.empty(rows, input_size))
        sees_state = self.cell.has_recurrent_weight
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size)) if sees_state else None
        self.bias_ih = nn.Parameter(torch.empty(rows)) if bias and input_size is not None else None
        has_second = bias and (sees_state or input_size is None)
        self.bias_hh = nn.Parameter(torch.empty(rows)) if has_second else None

    def initialize(self, generator: torch.Generator | None) -> None:
        """Uniform in ±1/√n, n the incoming connections (as in the tutorial); LSTM forget bias 1."""
        for weight in (self.weight_ih, self.weight_hh):
            if weight is not None:
                uniform_(weight, 1 / math.sqrt(weight.shape[1]), generator)
        for bias in (self.bias_ih, self.bias_hh):
            if bias is not None:
                nn.init.zeros_(bias)
        if self.cell is CELLS["lstm"] and self.bias_hh is not None:
            nn.init.ones_(self.bias_hh[self.hidden_size : 2 * self.hidden_size])

    def zero_state(self, batch_size: int, like: Tensor | None = None) -> LayerState:
        """Of the type and on the device of `like`, or of the layer's own weights."""
        like = next(self.parameters()) if like is None else like
        return tuple(like.new_zeros(batch_size, self.hidden_size) for _ in range(self.cell.states))

    def forward(
        self,
        input_TBI: Tensor,
        state: LayerState,
        weight_hh: Tensor | None = None,
        half: HalfPrecision | None = None,
    ) -> tuple[Tensor, LayerState]:
        """Hidden states of all steps, shape (T, B, H), and the state after the last.

        `weight_hh` stands in for the layer's own: the same matrix with entries dropped. With `half`, a
        layer that has input weights computes in that type.
        """
        if weight_hh is None:
            weight_hh = self.weight_hh
        if self.weight_ih is None:
            return self.cell.recurrence(input_TBI, weight_hh, self.bias_hh, state)
        if half is not None and weight_hh is not None and weight_hh.numel() < half.least:
            half = None
        on_cpu = half is None and input_TBI.device.type == "cpu"
        if self.cell.native is None or (on_cpu and not self.cell.native_on_cpu):
            gates_TBG = linear(input_TBI, self.weight_ih, self.bias_ih)
            return self.cell.recurrence(gates_TBG, weight_hh, self.bias_hh, state)
        assert weight_hh is not None, "a native cell has a recurrent matrix"
        weights = [self.weight_ih, weight_hh]
        if self.bias_ih is not None and self.bias_hh is not None:
            weights += [self.bias_ih, self.bias_hh]
        if half is not None:
            input_TBI, weights = half.halved(input_TBI), [half.halved(weight) for weight in weights]
            state = tuple(half.halved(part) for part in state)
        packed = [part.unsqueeze(0) for part in state]
        hidden_TBH, *after = self.cell.native(
            input_TBI,
            packed if self.cell.states > 1 else packed[0],
            weights,
            len(weights) == 4,  # has biases
            1,  # layers
            0.0,  # dropout
            self.training,
            False,  # bidirectional
            False,  # batch first
        )
        if half is not None:
            hidden_TBH, after = half.restored(hidden_TBH), [half.restored(part) for part in after]
        return hidden_TBH, tuple(part.squeeze(0) for part in after)


def detach_state(state: State) -> State:
    """The same state, cut from the window that made it: truncated BPTT carries it no further back."""
    return tuple(tuple(part.detach() for part in layer) for layer in state)


def select_state(state: State, rows: Tensor | Sequence[int]) -> State:
    """The state of some batch rows, in the order of `rows`; a row may be taken more than once."""
    return tuple(tuple(part[rows] for part in layer) for layer in state)
