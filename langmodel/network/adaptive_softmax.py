"""A softmax over many words at the price of few (Grave et al. 2017, "Efficient softmax approximation").

The most frequent words form the head. The rarer ones lie in bands, each of which is one more row of the head;
a word of a band has the band's probability times its own within the band. Each band's vectors are narrower
than those before it, and one matrix widens them, for the input and for the output alike (Baevski and
Auli 2019). Probabilities are exact: only the words of the bands that hold a target are looked at in training.
"""

# N = tokens, O = output width = embedding size, C = rows of the head, K = bands, V = vocabulary
# n = rows of a band, D = size of its vectors

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from langmodel.network.architecture import Architecture
from langmodel.network.cells import uniform_
from langmodel.network.output_layer import NetworkReadout, OutputLayer, Readout
from langmodel.network.products import linear, product


class AdaptiveEmbedding(nn.Module):
    """The vectors of the words of the bands, and the rows of the bands in the head."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.starts = [band.start for band in a.bands]
        self.vectors = nn.ParameterList(torch.empty(b.stop - b.start, b.size) for b in a.bands)
        self.widening = nn.ParameterList(torch.empty(a.embedding_size, b.size) for b in a.bands)
        self.rows = nn.Parameter(torch.empty(len(a.bands), a.embedding_size))
        self.row_biases = nn.Parameter(torch.empty(len(a.bands))) if a.bias else None

    def initialize(self, bound: float, generator: torch.Generator | None) -> None:
        """A widened vector begins with the spread of one of the head, whose entries lie within `bound`."""
        for vectors, widening in zip(self.vectors, self.widening, strict=True):
            uniform_(vectors, bound, generator)
            uniform_(widening, math.sqrt(3 / widening.shape[1]), generator)
        uniform_(self.rows, bound, generator)
        if self.row_biases is not None:
            nn.init.zeros_(self.row_biases)

    def embed(self, ids: Tensor, head_CE: Tensor) -> Tensor:
        """The vectors of words, given those of the head; shape (*ids.shape, E)."""
        flat_N = ids.flatten()
        embedded_NE = F.embedding(flat_N.clamp(max=len(head_CE) - 1), head_CE)
        for start, vectors, widening in zip(self.starts, self.vectors, self.widening, strict=True):
            place_N = flat_N - start
            own = ((place_N >= 0) & (place_N < len(vectors))).nonzero()[:, 0]
            narrow = F.embedding(place_N[own], vectors)
            embedded_NE = embedded_NE.index_copy(0, own, linear(narrow, widening, None))
        return embedded_NE.view(*ids.shape, -1)

    def output_layer(self, head_CE: Tensor, bias_V: Tensor | None) -> "AdaptiveOutputLayer":
        head_bias = None
        if bias_V is not None and self.row_biases is not None:
            head_bias = torch.cat([bias_V[: len(head_CE)], self.row_biases])
        return AdaptiveOutputLayer(
            head=OutputLayer(torch.cat([head_CE, self.rows]), head_bias),
            bands=tuple(
                OutputBand(
                    start,
                    widening,
                    OutputLayer(
                        vectors, None if bias_V is None else bias_V[start : start + len(vectors)], None
                    ),
                )
                for start, vectors, widening in zip(self.starts, self.vectors, self.widening, strict=True)
            ),
        )


@dataclass(frozen=True, eq=False)
class OutputBand:
    """Rows of rarer words: a softmax among themselves, of a narrowed hidden vector."""

    start: int
    widening_OD: Tensor
    layer: OutputLayer

    @property
    def stop(self) -> int:
        return self.start + self.layer.vocabulary_size


@dataclass(frozen=True, eq=False)
class AdaptiveOutputLayer(NetworkReadout):
    """Log-probabilities of the head's words, and of a band's as the band's plus theirs within it."""

    head: OutputLayer
    """Its last K rows are the bands'."""
    bands: tuple[OutputBand, ...]

    @property
    def vocabulary_size(self) -> int:
        return self.bands[-1].stop

    @property
    def width(self) -> int:
        return self.head.width

    def logits(self, read_NR: Tensor) -> Tensor:
        """Here these are normalised."""
        log_head, *log_bands = self.head.log_probabilities(read_NR).tensor_split(self._band_rows, dim=1)
        parts = [log_head]
        for band, log_band_N1 in zip(self.bands, log_bands, strict=True):
            within = band.layer.log_probabilities(product(read_NR, band.widening_OD.t()))
            parts.append(within.add_(log_band_N1))
        return torch.cat(parts, 1)

    def log_probabilities(self, read_NR: Tensor) -> Tensor:
        return self.logits(read_NR)

    def token_nll(self, read_NR: Tensor, targets_N: Tensor) -> Tensor:
        head_N, places = self._divided(targets_N)
        nll_N = self.head.token_nll(read_NR, head_N)
        for band, own in zip(self.bands, places, strict=True):
            narrow = product(read_NR[own], band.widening_OD.t())
            nll_N[own] += band.layer.token_nll(narrow, targets_N[own] - band.start)
        return nll_N

    def nll_sum(self, hidden_NO: Tensor, targets_N: Tensor) -> Tensor:
        head_N, places = self._divided(targets_N)
        total = self.head.nll_sum(hidden_NO, head_N)
        for band, own in zip(self.bands, places, strict=True):
            narrow = linear(hidden_NO[own], band.widening_OD.t(), None)
            total = total + band.layer.nll_sum(narrow, targets_N[own] - band.start)
        return total

    def in_bfloat16(self) -> "AdaptiveOutputLayer":
        """The head alone: a band has other rows at every step, and oneDNN prepares each new shape anew."""
        return replace(self, head=self.head.in_bfloat16())

    def tempered(self, temperature: float) -> "Tempered":
        return Tempered(self, temperature)

    @property
    def _band_rows(self) -> list[int]:
        """In the head."""
        return [self.bands[0].start + number for number in range(len(self.bands))]

    def _divided(self, targets_N: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The targets in the head, where a word of a band is its band; and where each band's words are."""
        head_N, places = targets_N.clone(), []
        for row, band in zip(self._band_rows, self.bands, strict=True):
            places.append(((targets_N >= band.start) & (targets_N < band.stop)).nonzero()[:, 0])
            head_N[places[-1]] = row
        return head_N, places


@dataclass(frozen=True, eq=False)
class Tempered(Readout):
    """Another readout, its log-probabilities divided by a temperature and normalised again."""

    readout: Readout
    temperature: float

    @property
    def vocabulary_size(self) -> int:
        return self.readout.vocabulary_size

    @property
    def width(self) -> int:
        return self.readout.width

    def hidden(self, read_NR: Tensor) -> Tensor:
        return self.readout.hidden(read_NR)

    def logits(self, read_NR: Tensor) -> Tensor:
        return self.readout.logits(read_NR).div_(self.temperature)
