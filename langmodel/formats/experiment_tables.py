"""What `stimuli` prints: regions with their surprisal, and how often the model agrees."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from langmodel.formats.score_style import LN_OF_BASE
from langmodel.inference.experiments import Agreement
from langmodel.inference.stimuli import ScoredStimulus
from langmodel.text.printable import printable


def shown_cell(cell: Any) -> Any:
    """A cell without the control characters of a file from elsewhere; its line breaks stay."""
    return "\n".join(map(printable, cell.split("\n"))) if isinstance(cell, str) else cell


def _row(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([shown_cell(cell) for cell in cells])
    return line.getvalue()[:-1]


def region_table(scored: Sequence[ScoredStimulus], base: str, spillover: int) -> Iterator[str]:
    """A row for every region and for END, with the surprisals of the regions after it."""
    after = [f"spillover_{n}" for n in range(1, spillover + 1)]
    yield _row(["item", "condition", "region", "text", "words", "oov", f"surprisal_base_{base}", *after])
    for each in scored:
        surprisals = [f"{-region.log_prob / LN_OF_BASE[base] + 0.0:.6f}" for region in each.regions]
        padded = surprisals + [""] * spillover
        for number, region in enumerate(each.regions, start=1):
            yield _row(
                [
                    each.stimulus.item,
                    each.stimulus.condition,
                    number,
                    region.text,
                    region.words,
                    region.oov,
                    *padded[number - 1 : number + spillover],
                ]
            )


def agreement_table(agreements: Sequence[Agreement], first: str, second: str) -> Iterator[str]:
    """A row for each, with its 95 % interval; `pooled_over` says what an accuracy is a share or a mean of."""
    yield _row([first, second, "items", "accuracy", "low_95", "high_95", "ties", "with_oov", "pooled_over"])
    for each in agreements:
        low, high = ("", "") if each.interval is None else (f"{bound:.4f}" for bound in each.interval)
        yield _row(
            [*each.of, each.items, f"{each.accuracy:.4f}", low, high, each.ties, each.oov, each.pooled]
        )
