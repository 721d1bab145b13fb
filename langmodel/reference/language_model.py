"""A recurrent language model by hand: forward pass, loss, backpropagation through time.

    s_t = cell(U x_t, s_{t-1})        o_t = softmax(V s_t)

x_t is one-hot, so U x_t is a column of U: it is selected, never multiplied. The loss is the
cross-entropy of each next word (natural log).
"""

# T = time, C = words of the vocabulary, S = width of the top hidden state

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from langmodel.errors import ConfigError, InputError
from langmodel.reference.cells import Array, Cell, Parameters, RNNCell, State
from langmodel.reference.layers import ONE_HOT, Stack, uniform

Gradients = dict[str, Array]


class ReferenceLM:
    """Parameters by name: U (rows of gates × C), V (C × S), c (C, the output bias), E (C × embedding) if
    there is an embedding, and `layer.name` for each layer's own.

    `banned` ids get no probability: RecurrentLM bans START, the tutorial nothing.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_sizes: Sequence[int] = (100,),
        cell: Cell | None = None,
        *,
        embedding_size: int = 0,
        bias: bool = False,
        banned: Sequence[int] = (),
        seed: int = 0,
        dtype: Any = np.float64,
    ) -> None:
        if vocabulary_size < 2:
            raise ConfigError(f"vocabulary size must be at least 2, got {vocabulary_size}")
        cell = RNNCell() if cell is None else cell
        random = np.random.default_rng(seed)
        self.vocabulary_size = vocabulary_size
        self.bias = bias
        self.banned = list(banned)
        self.stack = Stack(cell, embedding_size or ONE_HOT, hidden_sizes, random=random, dtype=dtype)
        top = cell.state_sizes(hidden_sizes[-1])[0]
        self._own: Parameters = {"V": uniform((vocabulary_size, top), random, dtype)}
        if embedding_size:
            self._own["E"] = uniform((vocabulary_size, embedding_size), random, dtype)
        else:
            self._own["U"] = uniform((cell.gates * hidden_sizes[0], vocabulary_size), random, dtype)
        if bias:
            self._own["c"] = np.zeros(vocabulary_size, dtype)

    @property
    def parameters(self) -> Parameters:
        """Every array that is learnt, by name; change them in place. Biases are only there with `bias`."""
        layers = {
            f"{layer}.{name}": array
            for layer, p in enumerate(self.stack.parameters)
            for name, array in p.items()
            if self.bias or name not in ("b_x", "b_s")
        }
        return {**self._own, **layers}

    @property
    def parameter_count(self) -> int:
        return sum(array.size for array in self.parameters.values())

    def _inputs(self, words: Sequence[int]) -> Iterator[Array]:
        for word in words:
            yield self._own["E"][word] if "E" in self._own else self._own["U"][:, word]

    def _check(self, *sequences: Sequence[int]) -> None:
        if not len(sequences[0]) or len({len(s) for s in sequences}) != 1:
            raise InputError("a sentence needs at least one word, and a target for each")
        for word in (word for sequence in sequences for word in sequence):
            if not 0 <= word < self.vocabulary_size:
                raise InputError(f"word id {word} is outside the vocabulary of {self.vocabulary_size}")
        for name, array in self.parameters.items():
            if not np.isfinite(array).all():
                raise InputError(f"parameter {name} holds a value that is not finite")

    def _log_softmax(self, state: list[State]) -> Array:
        scores = self._own["V"] @ state[-1][0]
        if self.bias:
            scores = scores + self._own["c"]
        scores[self.banned] = -np.inf
        scores = scores - scores.max()
        return np.asarray(scores - np.log(np.exp(scores).sum()))

    def _softmax(self, state: list[State]) -> Array:
        return np.asarray(np.exp(self._log_softmax(state)))

    def forward(self, words: Sequence[int], state: list[State] | None = None) -> tuple[Array, list[State]]:
        """Probabilities of every next word, shape (T, C), and the state after the last.

        Raises InputError for an empty sentence, an id outside the vocabulary or a weight that is not finite.
        """
        self._check(words)
        states, _ = self.stack.forward(self._inputs(words), state)
        return np.array([self._softmax(step) for step in states]), states[-1]

    def predict(self, words: Sequence[int]) -> list[int]:
        """The likeliest next word at every step."""
        return [int(word) for word in self.forward(words)[0].argmax(1)]

    def loss_sum(self, words: Sequence[int], targets: Sequence[int]) -> float:
        """Σ -log p(target), in nats."""
        self._check(words, targets)
        states, _ = self.stack.forward(self._inputs(words))
        return -math.fsum(float(self._log_softmax(s)[y]) for s, y in zip(states, targets, strict=True))

    def loss(self, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]) -> float:
        """Mean nats per word over sentences, each a pair of words and targets."""
        return sum(self.loss_sum(x, y) for x, y in pairs) / sum(len(y) for _, y in pairs)

    def gradients(
        self, words: Sequence[int], targets: Sequence[int], *, bptt_truncate: int | None = None
    ) -> Gradients:
        """Gradients of `loss_sum` by backpropagation through time; a dictionary like `parameters`.

        `bptt_truncate` k: the error of *every* step is carried back through at most k earlier steps,
        as the tutorial does it. None: all the way, the true gradient. This is not what cutting the
        text into windows of k steps does (truncated BPTT as RecurrentLM's trainer has it): there, the
        error of a window's first step goes back not at all and that of its last step k - 1 steps, so
        on average half as far, but the work is a single pass instead of one for each step.

        Raises ConfigError for a negative truncation.
        """
        if bptt_truncate is not None and bptt_truncate < 0:
            raise ConfigError(f"truncation must be at least 0 steps, got {bptt_truncate}")
        self._check(words, targets)
        states, caches = self.stack.forward(self._inputs(words))
        grads = {name: np.zeros_like(array) for name, array in self._own.items()}
        layer_grads: list[Parameters] = [
            {name: np.zeros_like(array) for name, array in p.items()} for p in self.stack.parameters
        ]
        errors: dict[int, Array] = {}
        for t, (state, target) in enumerate(zip(states, targets, strict=True)):
            error = self._softmax(state)  # d loss / d scores = softmax - one-hot
            error[target] -= 1
            grads["V"] += np.outer(error, state[-1][0])
            if self.bias:
                grads["c"] += error
            errors[t] = self._own["V"].T @ error

        last = len(words) - 1
        if bptt_truncate is None:
            passes = [(errors, 0, last)]
        else:
            passes = [({t: errors[t]}, max(0, t - bptt_truncate), t) for t in range(last + 1)]
        for error_of, first, end in passes:
            for t, grad_x in self.stack.backward(caches, error_of, first, end, layer_grads):
                if "E" in grads:
                    grads["E"][words[t]] += grad_x
                else:
                    grads["U"][:, words[t]] += grad_x

        for layer, p in enumerate(layer_grads):
            grads |= {f"{layer}.{name}": array for name, array in p.items()}
        return {name: grads[name] for name in self.parameters}
