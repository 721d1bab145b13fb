"""curves.svg: training and validation perplexity over epochs (extra `[plot]`)."""

import io
from pathlib import Path
from typing import Any

from langmodel.storage.atomic import write_atomically

SHOWN_PERPLEXITY = 1e9
"""Evaluations of a run that has exploded beyond this are left out."""

STYLE: Any = {"svg.hashsalt": "langmodel", "font.size": 11}


def axes_for(x_label: str) -> tuple[Any, Any] | None:
    """A figure and its axes for perplexities on a logarithmic scale; None if matplotlib is not installed."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.ticker import ScalarFormatter
    except ImportError:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(ScalarFormatter())
        axes.margins(y=0.15)
        axes.set_xlabel(x_label)
        axes.set_ylabel("perplexity (log scale)")
        axes.grid(alpha=0.3, which="both")
    return figure, axes


def svg_of(figure: Any) -> str:
    """The same figure gives the same text."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().decode()


def curves(rows: list[dict[str, Any]], tokens_per_epoch: int) -> str | None:
    """The evaluations of metrics.jsonl as SVG; None if matplotlib is not installed."""
    drawn = axes_for("epochs")
    if drawn is None:
        return None
    figure, axes = drawn
    rows = [row for row in rows if row["train_perplexity"] < SHOWN_PERPLEXITY]
    epochs = [row["tokens"] / tokens_per_epoch for row in rows]
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
    if not rows:
        axes.set_yscale("linear")
    axes.set_xlim(0, 1.07 * max(epochs, default=1.0))
    axes.legend()
    return svg_of(figure)


def draw_curves(rows: list[dict[str, Any]], tokens_per_epoch: int, file: Path) -> bool:
    """Write them into a file; False if matplotlib is not installed."""
    svg = curves(rows, tokens_per_epoch)
    if svg is None:
        return False
    write_atomically(file, svg.encode())
    return True
