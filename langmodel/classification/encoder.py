"""TextClassifier: ids of whole texts in, a number for every class out."""

# T = time, B = batch, E = embedding, H = hidden, P = pooled, C = classes

import math
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from langmodel.classification.architecture import ClassifierArchitecture
from langmodel.network.cells import RecurrentLayer, uniform_
from langmodel.network.dropout import NO_DROPOUT, Dropout
from langmodel.network.products import linear
from langmodel.network.recurrent_lm import EMBEDDING_BOUND


def _last(hidden_TBH: Tensor, lengths_B: Tensor) -> Tensor:
    at_1BH = (lengths_B - 1).view(1, -1, 1).expand(1, -1, hidden_TBH.shape[2])
    return hidden_TBH.gather(0, at_1BH)[0]


def _mean(hidden_TBH: Tensor, lengths_B: Tensor) -> Tensor:
    return (hidden_TBH * _is_read(hidden_TBH, lengths_B)).sum(0) / lengths_B.unsqueeze(1)


def _max(hidden_TBH: Tensor, lengths_B: Tensor) -> Tensor:
    return hidden_TBH.masked_fill(~_is_read(hidden_TBH, lengths_B), -torch.inf).amax(0)


def _is_read(hidden_TBH: Tensor, lengths_B: Tensor) -> Tensor:
    """Which steps belong to a text, shape (T, B, 1)."""
    steps_T1 = torch.arange(len(hidden_TBH), device=hidden_TBH.device).unsqueeze(1)
    return (steps_T1 < lengths_B).unsqueeze(2)


POOLINGS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"last": _last, "mean": _mean, "max": _max}
"""What is taken of hidden states (T, B, H) in order of reading, given each text's length; shape (B, H)."""


def reversed_texts(ids_TB: Tensor, lengths_B: Tensor) -> Tensor:
    """START, then each text from its end, as a language model that reads backward has it.

    What fills up the shorter ones stays behind them.
    """
    steps_T1 = torch.arange(len(ids_TB), device=ids_TB.device).unsqueeze(1)
    is_word_TB = (steps_T1 > 0) & (steps_T1 < lengths_B)
    return ids_TB.gather(0, torch.where(is_word_TB, lengths_B - steps_T1, steps_T1))


class TextClassifier(nn.Module):
    """Word vectors, a stack of recurrent layers for each direction, pooling, and a softmax over classes.

    Weights are drawn at construction from `generator`; the same generator state gives the same network.
    Where the architecture has several networks, this is the first of them, and what it says is their mean.
    """

    def __init__(
        self,
        architecture: ClassifierArchitecture,
        generator: torch.Generator | None = None,
        embedding_bound: float = EMBEDDING_BOUND,
    ) -> None:
        super().__init__()
        a = self.architecture = architecture
        self.embeddings = nn.ParameterList(
            torch.empty(a.vocabulary_size, a.embedding_size)
            for _ in (a.directions if a.own_embeddings else a.directions[:1])
        )
        self.directions = nn.ModuleList(
            nn.ModuleList(
                RecurrentLayer(a.cell, input_size, size, bias=True)
                for input_size, size in zip(
                    (a.embedding_size, *a.hidden_sizes[:-1]), a.hidden_sizes, strict=True
                )
            )
            for _ in a.directions
        )
        width = a.pooled_size
        self.dense = nn.Parameter(torch.empty(a.dense_size, width)) if a.dense_size else None
        self.dense_bias = nn.Parameter(torch.empty(a.dense_size)) if a.dense_size else None
        self.output = nn.Parameter(torch.empty(a.classes, a.dense_size or width))
        self.output_bias = nn.Parameter(torch.empty(a.classes))
        if not self.output.is_meta:
            self._initialize(generator, embedding_bound)
        self.others = nn.ModuleList(
            TextClassifier(replace(a, networks=1), generator, embedding_bound) for _ in range(a.networks - 1)
        )

    def _initialize(self, generator: torch.Generator | None, embedding_bound: float) -> None:
        for embedding in self.embeddings:
            uniform_(embedding, embedding_bound, generator)
        for layers in self.stacks():
            for layer in layers:
                layer.initialize(generator)
        for weight in (self.dense, self.output):
            if weight is not None:
                uniform_(weight, 1 / math.sqrt(weight.shape[1]), generator)
        for bias in (self.dense_bias, self.output_bias):
            if bias is not None:
                nn.init.zeros_(bias)

    def stacks(self) -> list[list[RecurrentLayer]]:
        """The layers of each direction, first to last."""
        return [cast(list[RecurrentLayer], list(cast(nn.ModuleList, stack))) for stack in self.directions]

    @property
    def networks(self) -> list["TextClassifier"]:
        """This one and the others, each for itself."""
        return [self, *cast("list[TextClassifier]", list(self.others))]

    def own_parameters(self) -> list[nn.Parameter]:
        """Without those of the others."""
        return [p for name, p in self.named_parameters() if not name.startswith("others.")]

    @property
    def device(self) -> torch.device:
        return self.output.device

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.parameters())

    def hidden_states(self, ids_TB: Tensor, lengths_B: Tensor, dropout: Dropout = NO_DROPOUT) -> list[Tensor]:
        """The last layer's hidden states of each direction, in its order of reading, each (T, B, H)."""
        outputs = []
        for number, (direction, layers) in enumerate(
            zip(self.architecture.directions, self.stacks(), strict=True)
        ):
            embedding = self.embeddings[number if self.architecture.own_embeddings else 0]
            ids = ids_TB if direction == "forward" else reversed_texts(ids_TB, lengths_B)
            hidden = dropout.words(F.embedding(ids, embedding), ids, len(embedding))
            for depth, layer in enumerate(layers):
                if depth:
                    hidden = dropout.units(hidden, dropout.rates.hidden)
                hidden, _ = layer(hidden, layer.zero_state(ids_TB.shape[1], embedding))
            outputs.append(hidden)
        return outputs

    def pooled(self, outputs: list[Tensor], lengths_B: Tensor) -> Tensor:
        """Every pooling of every direction side by side, shape (B, P)."""
        return torch.cat(
            [POOLINGS[name](hidden, lengths_B) for hidden in outputs for name in self.architecture.pooling], 1
        )

    def classes(self, pooled_BP: Tensor, dropout: Dropout = NO_DROPOUT) -> Tensor:
        """Unnormalised log-probabilities of the classes, shape (B, C)."""
        pooled_BP = dropout.units(pooled_BP.unsqueeze(0), dropout.rates.output)[0]
        if self.dense is not None:
            pooled_BP = torch.relu(linear(pooled_BP, self.dense, self.dense_bias))
        return linear(pooled_BP, self.output, self.output_bias)

    def alone(self, ids_TB: Tensor, lengths_B: Tensor, dropout: Dropout = NO_DROPOUT) -> Tensor:
        """What this network says without the others; as of `forward`."""
        return self.classes(self.pooled(self.hidden_states(ids_TB, lengths_B, dropout), lengths_B), dropout)

    def forward(self, ids_TB: Tensor, lengths_B: Tensor) -> Tensor:
        """Unnormalised log-probabilities of the classes of each text, shape (B, C)."""
        if not self.others:
            return self.alone(ids_TB, lengths_B)
        each = [torch.log_softmax(network.alone(ids_TB, lengths_B), 1) for network in self.networks]
        return torch.logsumexp(torch.stack(each), 0)  # of the sum: a mean but for a constant
