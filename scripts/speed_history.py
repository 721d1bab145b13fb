"""Draw the speed history: docs/benchmarks/*.json -> docs/benchmarks.md and docs/figures/speed.svg.

    python scripts/benchmark --json docs/benchmarks/DATE-PROCESSOR.json
    python scripts/speed_history.py

Every row is a ratio against a baseline of the same run, so that machines can be compared.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from langmodel.display.curves import STYLE, svg_of

DOCS = Path(__file__).resolve().parent.parent / "docs"

HEAD = """# Speed history

Made by `python scripts/speed_history.py` from the files in `docs/benchmarks`, each of which
`python scripts/benchmark --json docs/benchmarks/DATE-PROCESSOR.json` wrote on an
idle machine. A ratio says how many times better langmodel is than the plain way of doing the
same, in the same run.

![Ratios over time](figures/speed.svg)
"""


def records() -> list[dict[str, Any]]:
    """Oldest first."""
    found = [json.loads(file.read_text()) for file in (DOCS / "benchmarks").glob("*.json")]
    return sorted(found, key=lambda record: (record["date"], record["processor"]))


def page(history: list[dict[str, Any]]) -> str:
    lines = [HEAD]
    for record in reversed(history):
        lines += [
            f"## {record['date']}, {record['processor']}",
            "",
            f"{record['threads']} threads, PyTorch {record['torch']}, products by {record['products']}.",
            "",
            "| what | langmodel | baseline | unit | ratio |",
            "| --- | --- | --- | --- | --- |",
            *(
                f"| {row['name']} | {row['value']:,.0f} | {row['baseline']:,.0f} | {row['unit']} "
                f"| {row['ratio']:.2f} |"
                for row in record["rows"]
            ),
            "",
        ]
    return "\n".join(lines)


def draw(history: list[dict[str, Any]]) -> str:
    """A line for each row of the benchmark, a mark on it for each record."""
    names = list(dict.fromkeys(row["name"] for record in history for row in record["rows"]))
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 1.2 + 0.28 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        for record in history:
            ratios = {row["name"]: row["ratio"] for row in record["rows"]}
            places = [names.index(name) for name in ratios]
            label = f"{record['date']}, {record['products']}"
            axes.plot(list(ratios.values()), places, "o", alpha=0.7, label=label)
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.invert_yaxis()
        axes.axvline(1, color="grey", linewidth=1)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.set_xlabel("times better than the baseline of the same run (log scale)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    return svg_of(figure)


def main() -> None:
    history = records()
    (DOCS / "benchmarks.md").write_text(page(history))
    (DOCS / "figures" / "speed.svg").write_text(draw(history))


if __name__ == "__main__":
    main()
