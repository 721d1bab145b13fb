"""What a run reads: the windows of its training and validation splits."""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch

from langmodel.errors import ConfigError
from langmodel.network.evaluation import evaluation_windows
from langmodel.network.windows import DocumentWindows, IdArray, SentenceWindows, Window, Windows, moved
from langmodel.text.vocabulary import END_ID
from langmodel.training.config import TrainingConfig
from langmodel.training.distributed import Ranks

EVALUATION_COLUMNS = 20
"""Columns, or sentences, evaluated side by side while training."""

RESIDENT_WINDOWS = 128
"""Windows that are copied to a device together."""

UNTRAINED_TOKENS = 20_000
"""The loss before the first step is taken over at most this much, or one sentence."""


class ResidentWindows:
    """The same windows, whose ids are on a device before they are asked for: many are copied at once."""

    def __init__(self, windows: Windows, device: torch.device) -> None:
        self.tokens = windows.tokens
        self._windows = windows
        self._device = device

    def count(self, epoch: int) -> int:
        return self._windows.count(epoch)

    def epoch(self, number: int, start: int = 0) -> Iterator[Window]:
        upcoming = self._windows.epoch(number, start)
        while block := list(islice(upcoming, RESIDENT_WINDOWS)):
            yield from self._moved(block)

    def _moved(self, block: Sequence[Window]) -> Iterator[Window]:
        parts = [
            part
            for window in block
            for part in (window.inputs_TB.flatten(), window.targets_N, window.positions_N)
            if part is not None
        ]
        there = iter(torch.split(moved(torch.cat(parts), self._device), [len(part) for part in parts]))
        for window in block:
            inputs_TB, targets_N = next(there).view_as(window.inputs_TB), next(there)
            positions_N = None if window.positions_N is None else next(there)
            yield Window(inputs_TB, targets_N, positions_N, window.fresh)


def resident(windows: Windows, device: torch.device) -> Windows:
    """Ready for the device; a CPU has them already."""
    return windows if device.type == "cpu" else ResidentWindows(windows, device)


def training_windows(ids: IdArray, config: TrainingConfig, ranks: Ranks) -> Windows:
    """Raises ConfigError when there are fewer tokens than columns, or columns cannot be shared out."""
    if config.batch_size % ranks.count:
        raise ConfigError(
            f"batch size {config.batch_size} for {ranks.count} processes; make it a multiple of {ranks.count}"
        )
    if config.context == "sentence":
        if ranks.count > 1:
            raise ConfigError("several processes share out the columns of a document; use --context document")
        return SentenceWindows(ids, batch_size=config.batch_size, bptt=config.bptt, shuffle_seed=config.seed)
    if config.batch_size > len(ids):
        raise ConfigError(
            f"batch size {config.batch_size} but the training split has {len(ids)} tokens; "
            f"set --batch-size to at most {len(ids)}"
        )
    return DocumentWindows(
        ids,
        batch_size=config.batch_size,
        bptt=config.bptt,
        shuffle_seed=config.seed if config.partial_shuffle else None,
        length_seed=config.seed if config.random_bptt else None,
        rank=ranks.rank,
        ranks=ranks.count,
    )


def validation_windows(ids: IdArray, context: str, ranks: Ranks) -> Windows | None:
    """None when there is nothing to validate on. Columns are a multiple of the processes."""
    if not len(ids):
        return None
    columns = -(-EVALUATION_COLUMNS // ranks.count) * ranks.count
    return evaluation_windows(ids, context, columns, rank=ranks.rank, ranks=ranks.count)


def untrained_windows(train_ids: IdArray, valid_ids: IdArray, context: str) -> Windows:
    """Whole sentences of what the run is judged by: for the loss before the first step."""
    ids = valid_ids if len(valid_ids) else train_ids
    if len(ids) > UNTRAINED_TOKENS:
        ends = (ids[:UNTRAINED_TOKENS] == END_ID).nonzero()[0]
        if not len(ends):  # one sentence alone is longer
            ends = (ids == END_ID).nonzero()[0][:1]
        ids = ids[: ends[-1] + 1]
    return evaluation_windows(ids, context, EVALUATION_COLUMNS)
