"""A stream of ids -> windows for the network: columns of a document, or buckets of sentences.

Targets are the stream `w1 … wn END …`; inputs are the stream shifted by one, with START in front of
each sentence. So END is predicted and never read, START is read and never predicted.
"""

# T = time, B = batch, N = tokens

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from langmodel.text.vocabulary import END_ID, START_ID

IdArray = npt.NDArray[np.unsignedinteger[Any]]


def from_the_end(ids: IdArray) -> IdArray:
    """A stream of sentences, the last one first and each from its last word; each ends with END as before."""
    return np.concatenate([ids[:-1][::-1], ids[-1:]])


PADDING = -1

MIN_RANDOM_BPTT, RANDOM_BPTT_SPREAD, SHARE_OF_WHOLE_BPTT = 5, 5.0, 0.95
"""Random window lengths: the least, the standard deviation, how often the mean is bptt, not half of it."""

LENGTHS, OFFSETS = 1, 2
"""Each kind of random choice has its own stream."""


@dataclass(frozen=True)
class Window:
    """What one call of the network reads, and what it should predict."""

    inputs_TB: Tensor
    targets_N: Tensor
    """Targets in time-major order, padding left out."""
    positions_N: Tensor | None
    """Where those targets lie among the T·B flattened positions; None: everywhere."""
    fresh: bool
    """The state starts at zero; otherwise it is the one that the window before left."""

    @property
    def tokens(self) -> int:
        return self.targets_N.numel()

    def to(self, device: torch.device) -> "Window":
        if self.inputs_TB.device == device:
            return self
        positions = None if self.positions_N is None else moved(self.positions_N, device)
        return Window(moved(self.inputs_TB, device), moved(self.targets_N, device), positions, self.fresh)

    def real(self, hidden_TBO: Tensor) -> Tensor:
        """The hidden states that predict `targets_N`, shape (N, O)."""
        flat = hidden_TBO.flatten(0, 1)
        return flat if self.positions_N is None else flat[self.positions_N]


def moved(ids: Tensor, device: torch.device) -> Tensor:
    """From the CPU to a device, without waiting for what that is at."""
    return (ids.pin_memory() if device.type == "cuda" else ids).to(device, non_blocking=True)


class Windows(Protocol):
    """An endless supply of epochs; epoch `n` is the same every time it is asked for."""

    tokens: int
    """Targets in an epoch, those of other processes included."""

    def count(self, epoch: int) -> int:
        """Windows in an epoch."""
        ...

    def epoch(self, number: int, start: int = 0) -> Iterator[Window]:
        """The windows of an epoch, from window `start` on."""
        ...


def _shift(targets: npt.NDArray[np.int64], before: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Inputs for (B, T) targets, given the id in front of each row: START where a sentence begins."""
    inputs = np.concatenate([before[:, None], targets[:, :-1]], axis=1)
    inputs[inputs == END_ID] = START_ID
    return inputs


class DocumentWindows:
    """The stream cut into `batch_size` columns that are read side by side, `bptt` steps at a time.

    Only a window at the start of an epoch is fresh. Up to batch_size - 1 tokens at the stream's end
    are left out, so that columns are equally long; one column leaves nothing out.

    With `shuffle_seed`, every epoch begins each column at another place and reads it round to there (Press
    2019, partial shuffle). With `length_seed`, windows are of random length, `bptt` on average or, one in
    twenty, half of it (Merity et al. 2018).

    Process `rank` out of `ranks` reads its own columns and nothing else of the stream.
    """

    def __init__(
        self,
        ids: IdArray,
        *,
        batch_size: int,
        bptt: int,
        shuffle_seed: int | None = None,
        length_seed: int | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        if not 1 <= batch_size <= len(ids):
            raise ValueError(f"{batch_size} columns out of {len(ids)} tokens")
        self._length = len(ids) // batch_size
        self._ids = ids
        self._columns = batch_size
        self._own = slice(rank * batch_size // ranks, (rank + 1) * batch_size // ranks)
        self._starts = np.arange(batch_size)[self._own] * self._length
        self._bptt = bptt
        self._shuffle_seed = shuffle_seed
        self._length_seed = length_seed
        self.tokens = self._length * batch_size

    def _edges(self, epoch: int) -> npt.NDArray[np.int64]:
        """The steps at which windows begin, and the end of the last."""
        if self._length_seed is None:
            return np.append(np.arange(0, self._length, self._bptt), self._length)
        random = np.random.default_rng([self._length_seed, LENGTHS, epoch])
        shortest = min(MIN_RANDOM_BPTT, self._bptt)
        most = math.ceil(self._length / shortest)
        base = np.where(random.random(most) < SHARE_OF_WHOLE_BPTT, self._bptt, self._bptt / 2)
        lengths = np.maximum(shortest, random.normal(base, RANDOM_BPTT_SPREAD).astype(np.int64))
        edges = np.concatenate([[0], np.cumsum(lengths)])
        return np.append(edges[edges < self._length], self._length)

    def count(self, epoch: int) -> int:
        return len(self._edges(epoch)) - 1

    def epoch(self, number: int, start: int = 0) -> Iterator[Window]:
        offsets = np.zeros_like(self._starts)
        if self._shuffle_seed is not None:
            random = np.random.default_rng([self._shuffle_seed, OFFSETS, number])
            offsets = random.integers(0, self._length, self._columns)[self._own]
        edges = self._edges(number)
        for first, last in zip(edges[start:-1], edges[start + 1 :], strict=True):
            steps = (offsets[:, None] + np.arange(first, last)) % self._length
            targets = self._ids[self._starts[:, None] + steps].astype(np.int64)
            inputs_TB = torch.from_numpy(
                np.ascontiguousarray(_shift(targets, self._before(offsets, first)).T)
            )
            targets_TB = torch.from_numpy(np.ascontiguousarray(targets.T))
            yield Window(inputs_TB, targets_TB.flatten(), None, fresh=first == 0)

    def _before(self, offsets: npt.NDArray[np.int64], step: int) -> npt.NDArray[np.int64]:
        """The ids in front of a step of every column: END, if the stream begins there."""
        places = self._starts + offsets - 1
        if step:
            places = self._starts + (offsets + step - 1) % self._length
        return np.where(places < 0, END_ID, self._ids[places]).astype(np.int64)


class SentenceWindows:
    """Sentences of like length side by side, each from the zero state; long ones in `bptt` steps.

    `shuffle_seed` None keeps the buckets in order of length; otherwise each epoch deals sentences of
    equal length and the buckets anew.
    """

    def __init__(self, ids: IdArray, *, batch_size: int, bptt: int, shuffle_seed: int | None) -> None:
        ends = np.flatnonzero(np.asarray(ids) == END_ID)
        if not len(ends):
            raise ValueError("no sentence")
        self._ids = ids
        self._starts = np.concatenate([[0], ends[:-1] + 1])
        self._lengths = np.diff(np.concatenate([[-1], ends]))
        self._batch_size = batch_size
        self._bptt = bptt
        self._seed = shuffle_seed
        in_order = np.sort(self._lengths)
        longest = [int(in_order[s : s + batch_size][-1]) for s in range(0, len(in_order), batch_size)]
        self._count = sum(math.ceil(length / bptt) for length in longest)
        self.tokens = int(self._lengths.sum())

    def count(self, epoch: int) -> int:
        return self._count

    def epoch(self, number: int, start: int = 0) -> Iterator[Window]:
        order = np.arange(len(self._lengths))
        buckets = np.arange(math.ceil(len(order) / self._batch_size))
        if self._seed is not None:
            random = np.random.default_rng([self._seed, number])
            random.shuffle(order)
            random.shuffle(buckets)
        order = order[np.argsort(self._lengths[order], kind="stable")]
        for bucket in buckets:
            rows = order[bucket * self._batch_size : (bucket + 1) * self._batch_size]
            count = math.ceil(int(self._lengths[rows].max()) / self._bptt)
            if start >= count:
                start -= count
                continue
            sentences = [self._ids[self._starts[r] : self._starts[r] + self._lengths[r]] for r in rows]
            yield from sentence_windows(sentences, self._bptt, start)
            start = 0


def sentence_windows(
    sentences: Sequence[npt.NDArray[Any] | Sequence[int]], bptt: int, start: int = 0
) -> Iterator[Window]:
    """One batch of sentences, each given as `w1 … wn END`, in windows of at most `bptt` steps."""
    longest = max(map(len, sentences))
    targets = np.full((len(sentences), longest), PADDING, np.int64)
    for row, sentence in zip(targets, sentences, strict=True):
        row[: len(sentence)] = sentence
    inputs = _shift(targets, np.full(len(sentences), END_ID))
    inputs[inputs == PADDING] = START_ID  # read, but nothing is predicted from there on
    for first in range(start * bptt, longest, bptt):
        window = slice(first, first + bptt)
        inputs_TB = torch.from_numpy(np.ascontiguousarray(inputs[:, window].T))
        flat = np.ascontiguousarray(targets[:, window].T).ravel()
        real = np.flatnonzero(flat != PADDING)
        everywhere = len(real) == len(flat)
        yield Window(
            inputs_TB,
            torch.from_numpy(flat if everywhere else flat[real]),
            None if everywhere else torch.from_numpy(real),
            fresh=first == 0,
        )
