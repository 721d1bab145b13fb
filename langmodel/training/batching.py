"""What a run reads: the windows of its training and validation splits."""

from langmodel.errors import ConfigError
from langmodel.network.evaluation import evaluation_windows
from langmodel.network.windows import DocumentWindows, IdArray, SentenceWindows, Windows
from langmodel.text.vocabulary import END_ID
from langmodel.training.config import TrainingConfig
from langmodel.training.distributed import Ranks

EVALUATION_COLUMNS = 20
"""Columns, or sentences, evaluated side by side while training."""

UNTRAINED_TOKENS = 20_000
"""The loss before the first step is taken over at most this much, or one sentence."""


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
    )


def validation_windows(ids: IdArray, context: str, ranks: Ranks) -> Windows | None:
    """None when there is nothing to validate on. Columns are a multiple of the processes."""
    if not len(ids):
        return None
    return evaluation_windows(ids, context, -(-EVALUATION_COLUMNS // ranks.count) * ranks.count)


def untrained_windows(train_ids: IdArray, valid_ids: IdArray, context: str) -> Windows:
    """Whole sentences of what the run is judged by: for the loss before the first step."""
    ids = valid_ids if len(valid_ids) else train_ids
    if len(ids) > UNTRAINED_TOKENS:
        ends = (ids[:UNTRAINED_TOKENS] == END_ID).nonzero()[0]
        if not len(ends):  # one sentence alone is longer
            ends = (ids == END_ID).nonzero()[0][:1]
        ids = ids[: ends[-1] + 1]
    return evaluation_windows(ids, context, EVALUATION_COLUMNS)
