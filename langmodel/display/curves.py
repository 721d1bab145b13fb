"""curves.svg: training and validation perplexity over epochs (extra `[plot]`)."""

import io
from pathlib import Path
from typing import Any

from langmodel.storage.atomic import write_atomically

SHOWN_PERPLEXITY = 1e9
"""Evaluations of a run that has exploded beyond this are left out."""


def draw_curves(rows: list[dict[str, Any]], tokens_per_epoch: int, file: Path) -> bool:
    """Draw the evaluations of metrics.jsonl; False if matplotlib is not installed."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.ticker import ScalarFormatter
    except ImportError:
        return False
    rows = [row for row in rows if row["train_perplexity"] < SHOWN_PERPLEXITY]
    epochs = [row["tokens"] / tokens_per_epoch for row in rows]
    with matplotlib.rc_context({"svg.hashsalt": "langmodel", "font.size": 11}):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(epochs, [row["train_perplexity"] for row in rows], "o-", label="training (with dropout)")
        valid = [
            (epoch, value)
            for epoch, row in zip(epochs, rows, strict=True)
            if (value := row["valid_perplexity"]) is not None and value < SHOWN_PERPLEXITY
        ]
        if valid:
            axes.plot(*zip(*valid, strict=True), "s-", label="validation")
            best_epoch, best = min(valid, key=lambda point: point[1])
            axes.annotate(
                f"best {best:.1f}", (best_epoch, best), textcoords="offset points", xytext=(0, 9), ha="center"
            )
        if rows:
            axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(ScalarFormatter())
        axes.margins(y=0.15)
        axes.set_xlim(0, 1.07 * max(epochs, default=1.0))
        axes.set_xlabel("epochs")
        axes.set_ylabel("perplexity (log scale)")
        axes.grid(alpha=0.3, which="both")
        axes.legend()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    write_atomically(file, buffer.getvalue())
    return True
