"""Evaluations as TensorBoard's scalars (extra `[tensorboard]`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from langmodel.errors import ConfigError

FOLDER = "tensorboard"
"""In the run directory: `tensorboard --logdir RUN_DIR` finds it."""

TAGS = {
    "train/loss": "train_loss",
    "train/ppl": "train_perplexity",
    "train/lr": "learning_rate",
    "train/tokens_per_second": "words_per_second",
    "valid/loss": "valid_loss",
    "valid/ppl": "valid_perplexity",
}
"""TensorBoard's tag -> the name in metrics.jsonl; the steps are the training's."""


def scalar_writer(directory: Path) -> Callable[[dict[str, Any]], None]:
    """What writes a row of metrics.jsonl. Raises ConfigError where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError("--tensorboard needs tensorboard: pip install 'langmodel[tensorboard]'") from None
    writer: Any = SummaryWriter(str(directory / FOLDER))

    def write(row: dict[str, Any]) -> None:
        for tag, name in TAGS.items():
            if row[name] is not None:
                writer.add_scalar(tag, row[name], row["step"])
        writer.flush()

    return write
