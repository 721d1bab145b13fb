"""Several runs side by side: what differs in their settings, what each reached, and one chart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from langmodel.configuration import shown_value
from langmodel.display.curves import SHOWN_PERPLEXITY, axes_for, svg_of
from langmodel.errors import CorpusError, InputError
from langmodel.storage.model_file import BEST
from langmodel.storage.run_files import read_metrics, read_run
from langmodel.text.corpus import open_corpus

MISSING = "-"


@dataclass(frozen=True)
class RunSummary:
    """What run.json and metrics.jsonl say of one run."""

    name: str
    config: dict[str, Any]
    corpus: str
    corpus_digest: str
    rows: list[dict[str, Any]]
    parameters: int | None
    megabytes: float
    characters_per_target: float | None
    """Of its validation split; None where the corpus is gone or did not count them."""

    @property
    def best(self) -> dict[str, Any] | None:
        """The evaluation of lowest validation perplexity; of training, where there is no validation split."""
        return min(self.rows, key=reached, default=None)

    @property
    def perplexity(self) -> float | None:
        """Of the best evaluation."""
        return None if self.best is None else reached(self.best)

    @property
    def training_perplexity(self) -> float | None:
        """Of the best evaluation, with dropout."""
        return None if self.best is None else float(self.best["train_perplexity"])

    @property
    def bits_per_character(self) -> float | None:
        """Of the best evaluation's validation loss; unknown words count as UNK."""
        if self.best is None or self.characters_per_target is None or self.best["valid_perplexity"] is None:
            return None
        return math.log2(self.best["valid_perplexity"]) / self.characters_per_target

    @property
    def minutes(self) -> float:
        return sum(seconds for seconds in _sessions(self.rows)) / 60


def _sessions(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Seconds of each session: the clock of a resumed run begins again."""
    seconds = [float(row.get("seconds") or 0.0) for row in rows]
    return [
        now for now, later in zip(seconds, [*seconds[1:], 0.0], strict=False) if later < now or later == 0.0
    ]


def reached(row: dict[str, Any]) -> float:
    """What an evaluation is judged by."""
    valid = row["valid_perplexity"]
    return float(row["train_perplexity"] if valid is None else valid)


def summary(directory: Path) -> RunSummary:
    """Raises InputError for what is no run directory."""
    run = read_run(directory)
    config = run.get("config")
    if not isinstance(config, dict):
        raise InputError(f"{directory}: not a run directory; give what `langmodel train -o` made")
    if run.get("kind") == "classifier":
        raise InputError(
            f"{directory}: a classifier's run, and compare is for language models; use "
            "`langmodel evaluate-classifier`"
        )
    best = directory / BEST
    parameters = run.get("parameters")
    return RunSummary(
        name=directory.name or str(directory),
        config=config,
        corpus=Path(str(run.get("corpus", MISSING))).name,
        corpus_digest=str(run.get("corpus_sha256", "")),
        rows=read_metrics(directory),
        parameters=parameters if type(parameters) is int else None,
        megabytes=best.stat().st_size / 1e6 if best.is_file() else 0.0,
        characters_per_target=_characters_per_target(str(run.get("corpus", ""))),
    )


def _characters_per_target(corpus: str) -> float | None:
    try:
        valid = open_corpus(Path(corpus)).statistics["valid"]
    except CorpusError:
        return None
    return valid.characters / valid.targets if valid.characters and valid.targets else None


def comparison_rows(runs: Sequence[RunSummary]) -> list[list[str]]:
    """A table: a header of names, then a row for every setting that differs, then what was reached."""
    table = [["", *(run.name for run in runs)]]
    names = list(dict.fromkeys(name for run in runs for name in run.config))
    for name in names:
        values = [run.config.get(name, MISSING) for run in runs]
        if any(value != values[0] for value in values):
            table.append([name, *map(shown_value, values)])
    same_corpus = len({run.corpus_digest for run in runs}) == 1
    if not same_corpus:
        table.append(["corpus", *(run.corpus for run in runs)])
    table.append(["epochs done", *(_shown_epochs(run) for run in runs)])
    if same_corpus:
        table.append(["best perplexity", *(_number(run.perplexity, ".2f") for run in runs)])
    table.append(["bits per character", *(_number(run.bits_per_character, ".4f") for run in runs)])
    table.append(["training perplexity", *(_number(run.training_perplexity, ".2f") for run in runs)])
    table.append(["minutes", *(_number(run.minutes, ".1f") for run in runs)])
    table.append(["parameters", *(_number(run.parameters, ",") for run in runs)])
    table.append(["model, MB", *(_number(run.megabytes, ".1f") for run in runs)])
    return table


def _shown_epochs(run: RunSummary) -> str:
    return str(run.rows[-1].get("epoch", MISSING)) if run.rows else "0"


def _number(value: float | None, spec: str) -> str:
    return MISSING if value is None else format(value, spec)


def as_text(table: Sequence[Sequence[str]]) -> str:
    """The first column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    )


def as_html(table: Sequence[Sequence[str]]) -> str:
    head, *rows = table
    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr><th scope=row>{escape(name)}</th>"
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"


def chart(runs: Sequence[RunSummary]) -> str | None:
    """Validation perplexity over epochs' tokens, a line for every run, as SVG; None without matplotlib."""
    drawn = axes_for("millions of tokens")
    if drawn is None:
        return None
    figure, axes = drawn
    for run in runs:
        points = [(row["tokens"] / 1e6, reached(row)) for row in run.rows if reached(row) < SHOWN_PERPLEXITY]
        if points:
            axes.plot(*zip(*points, strict=True), "o-", markersize=4, label=run.name)
    axes.legend()
    return svg_of(figure)
