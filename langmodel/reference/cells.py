"""One step of an RNN, a GRU and an LSTM, forward and backward, as the textbook writes them.

A cell reads x and the state before, and gives the state after; the first part of every state is the
hidden state s that the next layer reads. Gates are rows of one matrix, in the order of each class.
`backward` is the chain rule of `forward`, line by line from the bottom up.
"""

# I = inputs, H = hidden (cell) units, P = units of s: H, or fewer with a projection, G = gates × H

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from langmodel.errors import ConfigError

Array = npt.NDArray[np.floating[Any]]
State = tuple[Array, ...]
Cache = tuple[Any, ...]
Parameters = dict[str, Array]


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow for any x."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


class Cell(Protocol):
    """What a layer needs to know of its cell."""

    @property
    def gates(self) -> int: ...

    def state_sizes(self, hidden_size: int) -> tuple[int, ...]: ...

    def extra_shapes(self, hidden_size: int) -> dict[str, tuple[int, ...]]:
        """Shapes of parameters beside W_x (G, I), W_s (G, P) and the biases b_x and b_s (G)."""
        ...

    def forward(self, p: Parameters, gates_x: Array, state: State) -> tuple[State, Cache]:
        """The state after, given the input's share of every gate, W_x x + b_x."""
        ...

    def backward(
        self, p: Parameters, cache: Cache, grad_state: State, grads: Parameters
    ) -> tuple[Array, State]:
        """Gradients of the input's share and of the state before; adds those of parameters to `grads`."""
        ...


class _OneState:
    """A cell whose state is s alone, of as many units as the layer, and that has no further parameters."""

    def state_sizes(self, hidden_size: int) -> tuple[int, ...]:
        return (hidden_size,)

    def extra_shapes(self, hidden_size: int) -> dict[str, tuple[int, ...]]:
        return {}


@dataclass(frozen=True)
class RNNCell(_OneState):
    """s' = tanh(x + W_s s + b_s): Elman 1990, and the tutorial's network without b_s."""

    gates = 1

    def forward(self, p: Parameters, gates_x: Array, state: State) -> tuple[State, Cache]:
        (s,) = state
        after = np.tanh(gates_x + p["W_s"] @ s + p["b_s"])
        return (after,), (s, after)

    def backward(
        self, p: Parameters, cache: Cache, grad_state: State, grads: Parameters
    ) -> tuple[Array, State]:
        s, after = cache
        (grad,) = grad_state
        grad_a = grad * (1 - after**2)
        grads["W_s"] += np.outer(grad_a, s)
        grads["b_s"] += grad_a
        return grad_a, (p["W_s"].T @ grad_a,)


@dataclass(frozen=True)
class GRUCell(_OneState):
    """Cho et al. 2014, with the reset gate r after the product, as cuDNN, PyTorch and Keras have it:

    r, z = σ(x_r + W_r s + b_r), σ(x_z + W_z s + b_z);  n = tanh(x_n + r ⊙ (W_n s + b_n));
    s' = (1 - z) ⊙ n + z ⊙ s

    Ng's course writes Γr for r, c̃ for n and Γu for 1 - z. Rows: r, z, n.
    """

    gates = 3

    def forward(self, p: Parameters, gates_x: Array, state: State) -> tuple[State, Cache]:
        (s,) = state
        x_r, x_z, x_n = np.split(gates_x, 3)
        h_r, h_z, h_n = np.split(p["W_s"] @ s + p["b_s"], 3)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        return ((1 - z) * n + z * s,), (s, r, z, n, h_n)

    def backward(
        self, p: Parameters, cache: Cache, grad_state: State, grads: Parameters
    ) -> tuple[Array, State]:
        s, r, z, n, h_n = cache
        (grad,) = grad_state
        grad_n = grad * (1 - z) * (1 - n**2)
        grad_z = grad * (s - n) * z * (1 - z)
        grad_r = grad_n * h_n * r * (1 - r)
        grad_h = np.concatenate([grad_r, grad_z, grad_n * r])
        grads["W_s"] += np.outer(grad_h, s)
        grads["b_s"] += grad_h
        return np.concatenate([grad_r, grad_z, grad_n]), (grad * z + p["W_s"].T @ grad_h,)


@dataclass(frozen=True)
class LSTMCell:
    """Hochreiter and Schmidhuber 1997 with forget gates (Gers et al. 2000).

    Options as in TensorFlow's LSTMCell.

    i, f, o = σ(x + W_s s + b_s [+ p ⊙ c]), f with `forget_bias` more;  g = tanh(…);
    c' = f ⊙ c + i ⊙ g, clipped to ±`cell_clip`;  s' = o ⊙ tanh(c') [projected by W_p].
    The peepholes p_i and p_f see c, p_o sees c'. Rows: i, f, g, o.
    """

    peepholes: bool = False
    cell_clip: float | None = None
    projection_size: int | None = None
    forget_bias: float = 0.0

    gates = 4

    def __post_init__(self) -> None:
        if self.cell_clip is not None and not self.cell_clip > 0:
            raise ConfigError(f"cell clip must be over 0, got {self.cell_clip}")
        if self.projection_size is not None and self.projection_size < 1:
            raise ConfigError(f"projection size must be at least 1, got {self.projection_size}")

    def state_sizes(self, hidden_size: int) -> tuple[int, ...]:
        return (self.projection_size or hidden_size, hidden_size)

    def extra_shapes(self, hidden_size: int) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        if self.peepholes:
            shapes |= {"p_i": (hidden_size,), "p_f": (hidden_size,), "p_o": (hidden_size,)}
        if self.projection_size is not None:
            shapes["W_p"] = (self.projection_size, hidden_size)
        return shapes

    def forward(self, p: Parameters, gates_x: Array, state: State) -> tuple[State, Cache]:
        s, c = state
        a_i, a_f, a_g, a_o = np.split(gates_x + p["W_s"] @ s + p["b_s"], 4)
        if self.peepholes:
            a_i, a_f = a_i + p["p_i"] * c, a_f + p["p_f"] * c
        i, f, g = sigmoid(a_i), sigmoid(a_f + self.forget_bias), np.tanh(a_g)
        unclipped = f * c + i * g
        after = unclipped if self.cell_clip is None else np.clip(unclipped, -self.cell_clip, self.cell_clip)
        if self.peepholes:
            a_o = a_o + p["p_o"] * after
        o = sigmoid(a_o)
        h = o * np.tanh(after)
        out = h if self.projection_size is None else p["W_p"] @ h
        return (out, after), (s, c, i, f, g, o, unclipped, after, h)

    def backward(
        self, p: Parameters, cache: Cache, grad_state: State, grads: Parameters
    ) -> tuple[Array, State]:
        s, c, i, f, g, o, unclipped, after, h = cache
        grad_s, grad_c = grad_state
        if self.projection_size is not None:
            grads["W_p"] += np.outer(grad_s, h)
            grad_s = p["W_p"].T @ grad_s
        squashed = np.tanh(after)
        grad_o = grad_s * squashed * o * (1 - o)
        grad_c = grad_c + grad_s * o * (1 - squashed**2)
        if self.peepholes:
            grads["p_o"] += grad_o * after
            grad_c = grad_c + grad_o * p["p_o"]
        if self.cell_clip is not None:
            grad_c = grad_c * (np.abs(unclipped) <= self.cell_clip)
        grad_i = grad_c * g * i * (1 - i)
        grad_f = grad_c * c * f * (1 - f)
        grad_g = grad_c * i * (1 - g**2)
        before = grad_c * f
        if self.peepholes:
            grads["p_i"] += grad_i * c
            grads["p_f"] += grad_f * c
            before = before + grad_i * p["p_i"] + grad_f * p["p_f"]
        grad_a = np.concatenate([grad_i, grad_f, grad_g, grad_o])
        grads["W_s"] += np.outer(grad_a, s)
        grads["b_s"] += grad_a
        return grad_a, (p["W_s"].T @ grad_a, before)


CELLS: dict[str, type[RNNCell] | type[GRUCell] | type[LSTMCell]] = {
    "rnn": RNNCell,
    "gru": GRUCell,
    "lstm": LSTMCell,
}
