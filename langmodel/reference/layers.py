"""Cells put to use over a sequence: a deep stack, and two stacks that read in opposite directions."""

# T = time, I = inputs, S = width of the top layer's s

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from langmodel.errors import ConfigError
from langmodel.reference.cells import Array, Cache, Cell, Parameters, State

ONE_HOT = "one-hot"
"""A layer without W_x: the input already is every gate's share, picked from a matrix by the caller."""


class Stack:
    """Recurrent layers, each reading the hidden states of the one below.

    `parameters[layer]` holds W_x (G, I), W_s (G, P), b_x and b_s (G) and the cell's own; the first layer
    of a stack with `input_size` "one-hot" has no W_x and b_x.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int | str,
        hidden_sizes: Sequence[int],
        *,
        random: np.random.Generator,
        dtype: Any = np.float64,
    ) -> None:
        if not hidden_sizes or any(size < 1 for size in hidden_sizes):
            raise ConfigError(f"hidden sizes must be at least 1, got {list(hidden_sizes)}")
        self.cell = cell
        self.hidden_sizes = tuple(hidden_sizes)
        self.dtype = dtype
        self.parameters: list[Parameters] = []
        width = input_size
        for size in hidden_sizes:
            rows, out = cell.gates * size, cell.state_sizes(size)[0]
            shapes: dict[str, tuple[int, ...]] = (
                {} if width == ONE_HOT else {"W_x": (rows, int(width)), "b_x": (rows,)}
            )
            shapes |= {"W_s": (rows, out), "b_s": (rows,), **cell.extra_shapes(size)}
            self.parameters.append({name: uniform(shape, random, dtype) for name, shape in shapes.items()})
            width = out

    def zero_state(self) -> list[State]:
        return [
            tuple(np.zeros(n, self.dtype) for n in self.cell.state_sizes(size)) for size in self.hidden_sizes
        ]

    def forward(
        self, inputs: Iterable[Array], states: list[State] | None = None
    ) -> tuple[list[list[State]], list[list[Cache]]]:
        """For every step, every layer's state after it; and what `backward` needs of each."""
        states = self.zero_state() if states is None else states
        all_states: list[list[State]] = []
        caches: list[list[Cache]] = []
        for x in inputs:
            step_states: list[State] = []
            step_caches: list[Cache] = []
            for p, state in zip(self.parameters, states, strict=True):
                gates_x = p["W_x"] @ x + p["b_x"] if "W_x" in p else x
                state, cache = self.cell.forward(p, gates_x, state)
                step_states.append(state)
                step_caches.append((x, cache))
                x = state[0]
            states = step_states
            all_states.append(step_states)
            caches.append(step_caches)
        return all_states, caches

    def backward(
        self,
        caches: list[list[Cache]],
        grad_top: dict[int, Array],
        first: int,
        last: int,
        grads: list[Parameters],
    ) -> Iterator[tuple[int, Array]]:
        """Carry errors back from step `last` to step `first`; add to `grads` as they come.

        `grad_top[t]` is the gradient of the top hidden state of step t. Yields (t, gradient of the
        stack's input at t).
        """
        carried = self.zero_state()
        for t in range(last, first - 1, -1):
            from_above: Array | None = grad_top.get(t)
            for layer in range(len(self.parameters) - 1, -1, -1):
                p, grad = self.parameters[layer], grads[layer]
                x, cache = caches[t][layer]
                grad_s, *rest = carried[layer]
                if from_above is not None:
                    grad_s = grad_s + from_above
                grad_gates, carried[layer] = self.cell.backward(p, cache, (grad_s, *rest), grad)
                if "W_x" in p:
                    grad["W_x"] += np.outer(grad_gates, x)
                    grad["b_x"] += grad_gates
                    from_above = p["W_x"].T @ grad_gates
                else:
                    from_above = grad_gates
            assert from_above is not None
            yield t, from_above


class Bidirectional:
    """Two stacks over one sequence, the second from its end: for encoding, not for predicting.

    A language model may not use it: the second stack has seen the word that is to be predicted.
    """

    def __init__(self, forward: Stack, backward: Stack) -> None:
        self.forward_stack = forward
        self.backward_stack = backward

    def encode(self, inputs: Sequence[Array]) -> Array:
        """The top hidden states of both directions at every step, side by side; shape (T, 2 S).

        Raises ConfigError for an empty sequence.
        """
        if not len(inputs):
            raise ConfigError("an empty sequence has no encoding")
        there, _ = self.forward_stack.forward(inputs)
        back, _ = self.backward_stack.forward(list(inputs)[::-1])
        return np.array(
            [np.concatenate([a[-1][0], b[-1][0]]) for a, b in zip(there, back[::-1], strict=True)]
        )


def uniform(shape: tuple[int, ...], random: np.random.Generator, dtype: Any) -> Array:
    """Uniform in ±1/√n, n the incoming connections, as the tutorial draws weights; vectors start at 0."""
    if len(shape) == 1:
        return np.zeros(shape, dtype)
    bound = 1 / math.sqrt(shape[1])
    return random.uniform(-bound, bound, shape).astype(dtype)
