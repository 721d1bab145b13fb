"""`langmodel stimuli`: surprisal of the regions of experimental sentences."""

import csv
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import click

from langmodel.cli.options import Choice, device_option, model_argument, network_only_option, threads_option
from langmodel.display.reports import rows_as_text
from langmodel.errors import ConfigError, InputError
from langmodel.formats.score_tables import LN_OF_BASE
from langmodel.inference.language_model import load
from langmodel.inference.stimuli import Preference, ScoredStimulus, Stimulus, preferences, score_stimuli
from langmodel.network.device import prepare_cpu
from langmodel.text.sources import input_name, read_raw_lines
from langmodel.text.tables import csv_rows

COLUMNS = ("item", "condition", "regions")
SEPARATOR = "|"

DELIMITERS = ",;\t"
"""What may stand between the columns: the first of these that the first row has."""


def read_stimuli(file: str) -> list[Stimulus]:
    """Rows of a CSV with the columns item, condition and regions; others are left alone.

    Raises InputError, naming the row, for a column or a region that is missing, or a pair that comes twice.
    """
    lines = read_raw_lines(file)
    first = next(lines, "")
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
    rows = csv_rows(chain([first], lines), delimiter)
    try:
        return _stimuli(rows, input_name(file))
    except csv.Error as error:
        raise InputError(f"{file}:{rows.line_num}: not a CSV row ({error}); a quote may be open") from None


def _stimuli(rows: Any, file: str) -> list[Stimulus]:
    header = [cell.strip().lower() for cell in next(rows, [])]
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise InputError(
            f"{file}: no column {', '.join(missing)}; expected {','.join(COLUMNS)} in the first row, "
            "with commas, semicolons or tabs between"
        )
    places = [header.index(column) for column in COLUMNS]
    stimuli: list[Stimulus] = []
    seen: set[tuple[str, str]] = set()
    for row in rows:
        where = f"{file}:{rows.line_num}"
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise InputError(
                f"{where}: {len(row)} cells where the first row has {len(header)}; quote a cell with commas"
            )
        item, condition, regions = (row[place].strip() for place in places)
        cut = tuple(region.strip() for region in regions.split(SEPARATOR))
        if not all(cut):
            raise InputError(f"{where}: an empty region in {regions!r}; put {SEPARATOR} between regions only")
        if (item, condition) in seen:
            raise InputError(f"{where}: item {item!r} has condition {condition!r} twice")
        seen.add((item, condition))
        stimuli.append(Stimulus(item, condition, cut))
    if not stimuli:
        raise InputError(f"{file}: no stimuli in it")
    return stimuli


def write_regions(scored: Sequence[ScoredStimulus], base: str, spillover: int) -> None:
    """A row for every region and for END, with the surprisals of the regions after it."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    after = [f"spillover_{n}" for n in range(1, spillover + 1)]
    writer.writerow(["item", "condition", "region", "text", "words", "oov", f"surprisal_base_{base}", *after])
    for one in scored:
        surprisals = [f"{-region.log_prob / LN_OF_BASE[base]:.6f}" for region in one.regions]
        padded = surprisals + [""] * spillover
        for number, region in enumerate(one.regions, start=1):
            writer.writerow([
                one.stimulus.item, one.stimulus.condition, number, region.text, region.words, region.oov,
                *padded[number - 1 : number + spillover],
            ])  # fmt: skip


def _share(preference: Preference) -> str:
    notes = [f"{preference.ties} equal"] if preference.ties else []
    if preference.with_oov:
        notes.append(f"{preference.with_oov} with unknown words")
    return f"{preference.accuracy:.1%} of {preference.items} items" + (
        f" ({', '.join(notes)})" if notes else ""
    )


def preference_report(scored: Sequence[ScoredStimulus], expected: str, region: int | None, file: str) -> str:
    if not any(one.stimulus.condition == expected for one in scored):
        raise InputError(f"{file}: no condition {expected!r} in it")
    shortest = min(len(one.stimulus.regions) for one in scored)
    if region is not None and region > shortest:
        raise InputError(f"{file}: --at {region}, but a sentence has {shortest} regions")
    found = preferences(scored, expected, region)
    if not found:
        raise InputError(f"{file}: no item has {expected!r} and another condition")
    where = "the whole sentence" if region is None else f"region {region}"
    rows = [(f"{expected} over {one.other}", _share(one)) for one in found]
    return f"likelier, by {where}:\n" + rows_as_text(rows)


@click.command("stimuli")
@model_argument
@click.argument("file")
@click.option("--base", type=Choice(list(LN_OF_BASE)), default="2", show_default=True, help="Of logarithms.")
@click.option(
    "--spillover", type=click.IntRange(0, 100), default=2, show_default=True,
    help="Columns with the surprisal of the regions that follow.",
)  # fmt: skip
@click.option(
    "--expect", metavar="CONDITION",
    help="Instead of the table, how often this condition is likelier than each other one of its item.",
)  # fmt: skip
@click.option("--at", "region", type=click.IntRange(min=1), help="With --expect: compare this region only.")
@network_only_option
@device_option
@threads_option
def command(
    model: Path, file: str, base: str, spillover: int, expect: str | None, region: int | None,
    network_only: bool, device: str, threads: int | None,
) -> None:  # fmt: skip
    """Print the summed surprisal of each region of the sentences in FILE, a CSV, under MODEL.

    Columns: item, condition, and regions, with | between them, as in: The keys|to the cabinet|are. A row for
    END (</s>) completes each sentence: its rows add up to the sentence's own surprisal.
    """
    if region is not None and expect is None:
        raise ConfigError("--at is for --expect; add it")
    stimuli = read_stimuli(file)
    prepare_cpu(threads)
    scored = list(score_stimuli(load(model, device, network_only=network_only), stimuli))
    if expect is not None:
        print(preference_report(scored, expect, region, file))
    else:
        write_regions(scored, base, spillover)
