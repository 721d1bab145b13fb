"""RecurrentLM: ids and state in, hidden states and state out. The softmax lives in output_layer.py."""

# T = time, B = batch, E = embedding, H = hidden, O = output width, V = vocabulary

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from langmodel.network.adaptive_softmax import AdaptiveEmbedding
from langmodel.network.architecture import Architecture
from langmodel.network.cells import CELLS, RecurrentLayer, State, uniform_
from langmodel.network.dropout import NO_DROPOUT, Dropout
from langmodel.network.output_layer import NetworkReadout, OutputLayer
from langmodel.network.precision import HalfPrecision
from langmodel.network.products import linear
from langmodel.text.vocabulary import START_ID

EMBEDDING_BOUND = 0.1


@dataclass(frozen=True)
class Activations:
    """What a window leaves in the network."""

    last_TBH: Tensor
    """The last layer's hidden states."""
    dropped_TBH: Tensor
    """The same after dropout."""
    read_TBO: Tensor
    """What the output layer reads at every step."""
    state: State
    """The state after the last step."""


class RecurrentLM(nn.Module):
    """Embedding, recurrent layers, and the parameters of the output layer.

    Weights are drawn at construction from `generator`; the same generator state gives the same network.
    """

    def __init__(self, architecture: Architecture, generator: torch.Generator | None = None) -> None:
        super().__init__()
        a = self.architecture = architecture
        one_hot = a.embedding_size == 0
        width = CELLS[a.cell].gates * a.hidden_sizes[0] if one_hot else a.embedding_size
        self.embedding = nn.Parameter(torch.empty(a.head_rows, width))
        self.adaptive = AdaptiveEmbedding(a) if a.cutoffs else None
        inputs = [None if one_hot else a.embedding_size, *a.hidden_sizes[:-1]]
        self.layers = nn.ModuleList(
            RecurrentLayer(a.cell, input_size, hidden_size, bias=a.bias)
            for input_size, hidden_size in zip(inputs, a.hidden_sizes, strict=True)
        )
        needs_projection = a.output_size != a.hidden_sizes[-1]
        self.projection = (
            nn.Parameter(torch.empty(a.output_size, a.hidden_sizes[-1])) if needs_projection else None
        )
        self.output = None if a.tied else nn.Parameter(torch.empty(a.vocabulary_size, a.hidden_sizes[-1]))
        self.output_bias = nn.Parameter(torch.empty(a.vocabulary_size)) if a.bias else None
        if not self.embedding.is_meta:
            self._initialize(generator)

    def _initialize(self, generator: torch.Generator | None) -> None:
        a = self.architecture
        one_hot = a.embedding_size == 0
        uniform_(self.embedding, 1 / math.sqrt(a.vocabulary_size) if one_hot else EMBEDDING_BOUND, generator)
        if self.adaptive is not None:
            self.adaptive.initialize(EMBEDDING_BOUND, generator)
        for layer in self._layers():
            layer.initialize(generator)
        for weight in (self.projection, self.output):
            if weight is not None:
                uniform_(weight, 1 / math.sqrt(weight.shape[1]), generator)
        if self.output_bias is not None:
            nn.init.zeros_(self.output_bias)

    def _layers(self) -> list[RecurrentLayer]:
        return cast(list[RecurrentLayer], self.layers)

    @property
    def output_weight(self) -> Tensor:
        """Of an exact softmax, shape (V, O); the embedding itself when tied."""
        self.architecture.needs_exact_softmax("an output matrix")
        return self.embedding if self.output is None else self.output

    @property
    def output_layer(self) -> NetworkReadout:
        if self.adaptive is not None:
            return self.adaptive.output_layer(self.embedding, self.output_bias)
        return OutputLayer(self.output_weight, self.output_bias)

    def word_vectors(self, ids: Tensor) -> Tensor:
        """What the first layer reads of each word; shape (*ids.shape, E)."""
        if self.adaptive is not None:
            return self.adaptive.embed(ids, self.embedding)
        return F.embedding(ids, self.embedding)

    @property
    def device(self) -> torch.device:
        return self.embedding.device

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def zero_state(self, batch_size: int) -> State:
        """The state before the first word of a text."""
        return tuple(layer.zero_state(batch_size, self.embedding) for layer in self._layers())

    def unread(self) -> Tensor:
        """What the output layer reads where nothing has been read, not even START: shape (1, O)."""
        return self.embedding.new_zeros(1, self.architecture.output_size)

    def read(self, ids: Sequence[int]) -> tuple[Tensor, State]:
        """What the output layer reads after START and `ids`, shape (1, O), and the state there."""
        inputs_T1 = torch.tensor([START_ID, *ids], device=self.device).unsqueeze(1)
        hidden_T1O, state = self(inputs_T1, self.zero_state(1))
        return hidden_T1O[-1], state

    def hidden_states(self, ids: Sequence[int]) -> tuple[list[Tensor], State]:
        """Every layer's hidden states after START and after each of `ids`, each of shape (1 + len(ids), H).

        The second value is the state after the last, as `read` gives it.
        """
        inputs_T1 = torch.tensor([START_ID, *ids], device=self.device).unsqueeze(1)
        hidden_T1H, after = self._recur(inputs_T1, self.zero_state(1), NO_DROPOUT)
        return [hidden[:, 0] for hidden in hidden_T1H], after

    def _recur(
        self,
        inputs_TB: Tensor,
        state: State,
        dropout: Dropout,
        half: HalfPrecision | None = None,
    ) -> tuple[list[Tensor], State]:
        """Every layer's output for every step, shape (T, B, H), and the state after the last."""
        vectors = self.word_vectors(inputs_TB)
        hidden = dropout.words(vectors, inputs_TB, self.architecture.vocabulary_size)
        outputs: list[Tensor] = []
        after = []
        for layer, layer_state in zip(self._layers(), state, strict=True):
            if outputs:
                hidden = dropout.units(hidden, dropout.rates.hidden)
            weight_hh = None if layer.weight_hh is None else dropout.weights(layer.weight_hh)
            hidden, layer_state = layer(hidden, layer_state, weight_hh, half)
            outputs.append(hidden)
            after.append(layer_state)
        return outputs, tuple(after)

    def activations(
        self,
        inputs_TB: Tensor,
        state: State,
        dropout: Dropout = NO_DROPOUT,
        half: HalfPrecision | None = None,
    ) -> Activations:
        """Reads a window of ids, in half precision if that is given."""
        (*_, last_TBH), after = self._recur(inputs_TB, state, dropout, half)
        dropped = dropout.units(last_TBH, dropout.rates.output)
        read = dropped if self.projection is None else linear(dropped, self.projection, None)
        return Activations(last_TBH, dropped, read, after)

    def forward(self, inputs_TB: Tensor, state: State) -> tuple[Tensor, State]:
        """What the output layer reads at every step, shape (T, B, O), and the state after the last."""
        activations = self.activations(inputs_TB, state)
        return activations.read_TBO, activations.state
