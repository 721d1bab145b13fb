"""What experiments come in: our own CSV, BLiMP, SyntaxGym in JSON or as a long CSV, tables of words.

Each reader gives an Experiment or raises InputError, naming the place.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from langmodel.errors import InputError
from langmodel.inference.predictions import METRICS, Prediction, parse
from langmodel.inference.stimuli import Stimulus
from langmodel.text.sources import input_name, read_raw_lines
from langmodel.text.tables import csv_rows, json_object, named_columns

COLUMNS = ("item", "condition", "regions")
LONG_COLUMNS = ("item_number", "condition_name", "region_number", "content")
SEPARATOR = "|"

DELIMITERS = ",;\t"
"""What may stand between the columns: the first of these that the first row has."""

GOOD, BAD = "sentence_good", "sentence_bad"

MAX_SUITE_CHARACTERS = 32 * 2**20


@dataclass(frozen=True)
class Pair:
    """Of a BLiMP paradigm: an item's acceptable and unacceptable sentence, conditions `good` and `bad`."""

    paradigm: str
    field: str


@dataclass(frozen=True)
class Experiment:
    """Sentences, and what is asked of them."""

    file: str
    kind: str
    """One of FORMATS."""
    stimuli: list[Stimulus]
    metric: str = "sum"
    predictions: tuple[Prediction, ...] = ()
    pairs: Mapping[str, Pair] = field(default_factory=dict)
    """By item."""


def read_experiment(file: str, kind: str | None = None) -> Experiment:
    """By its content, unless `kind` names a format."""
    lines = read_raw_lines(file)
    head: list[str] = []
    for line in lines:
        head.append(line)
        if line.strip():
            break
    kind = kind or _kind(head[-1] if head else "")
    return FORMATS[kind](chain(head, lines), input_name(file))


def _kind(first: str) -> str:
    if first.lstrip().startswith("{"):
        return "blimp" if f'"{GOOD}"' in first else "syntaxgym"
    cells = {cell.strip().strip('"').lower() for mark in DELIMITERS for cell in first.split(mark)}
    return "syntaxgym-csv" if set(LONG_COLUMNS) <= cells else "csv"


def _read_csv(lines: Iterable[str], file: str) -> Experiment:
    rows, header = _table(lines, COLUMNS, file)
    places = [header.index(column) for column in COLUMNS]
    stimuli: list[Stimulus] = []
    seen: set[tuple[str, str]] = set()
    for where, row in rows:
        item, condition, regions = (row[place].strip() for place in places)
        cut = tuple(region.strip() for region in regions.split(SEPARATOR))
        if not any(cut):
            raise InputError(f"{where}: no words in the regions")
        if (item, condition) in seen:
            raise InputError(f"{where}: item {item!r} has condition {condition!r} twice")
        seen.add((item, condition))
        stimuli.append(Stimulus(item, condition, cut))
    return _experiment(file, "csv", stimuli)


def _table(
    lines: Iterable[str], columns: tuple[str, ...], file: str
) -> tuple[Iterator[tuple[str, list[str]]], list[str]]:
    """The rows of a table that has the columns, each with its place; and the header, in lower case."""
    rest = iter(lines)
    first = next(rest, "")
    delimiter = next((mark for mark in DELIMITERS if mark in first), ",")
    rows = csv_rows(chain([first], rest), delimiter)
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
    except csv.Error as error:
        raise InputError(f"{file}:1: not a CSV row ({error})") from None
    missing = [column for column in columns if column not in header]
    if missing:
        raise InputError(
            f"{file}: no column {', '.join(missing)}; expected {','.join(columns)} in the first row, "
            "separated by commas, semicolons or tabs; BLiMP and SyntaxGym's JSON are read too"
        )
    return _rows(rows, len(header), file), header


def _rows(rows: Any, width: int, file: str) -> Iterator[tuple[str, list[str]]]:
    try:
        for row in rows:
            where = f"{file}:{rows.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != width:
                raise InputError(
                    f"{where}: {len(row)} cells where the first row has {width}; quote a cell with commas"
                )
            yield where, row
    except csv.Error as error:
        raise InputError(f"{file}:{rows.line_num}: not a CSV row ({error}); a quote may be open") from None


def _read_long_csv(lines: Iterable[str], file: str) -> Experiment:
    rows, header = _table(lines, LONG_COLUMNS, file)
    places = [header.index(column) for column in LONG_COLUMNS]
    regions: dict[tuple[str, str], dict[int, str]] = {}
    for where, row in rows:
        item, condition, number, content = (row[place].strip() for place in places)
        if not number.isdecimal() or not 1 <= int(number[:9]) <= 1_000:
            raise InputError(f"{where}: region_number {number!r:.40} is not a number from 1")
        own = regions.setdefault((item, condition), {})
        if int(number) in own:
            raise InputError(f"{where}: item {item!r} has region {number} of condition {condition!r} twice")
        own[int(number)] = content
    return _experiment(file, "syntaxgym-csv", [_stimulus(*key, own) for key, own in regions.items()])


def _stimulus(item: str, condition: str, regions: dict[int, str]) -> Stimulus:
    """Regions keep their numbers; those that are not listed are empty."""
    return Stimulus(item, condition, tuple(regions.get(n, "") for n in range(1, max(regions) + 1)))


def _read_blimp(lines: Iterable[str], file: str) -> Experiment:
    stimuli: list[Stimulus] = []
    pairs: dict[str, Pair] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = json_object(line, f"{file} line {number}")
        missing = [
            name for name in (GOOD, BAD) if not isinstance(row.get(name), str) or not row[name].strip()
        ]
        if missing:
            raise InputError(
                f"{file} line {number}: no text field {missing[0]!r}; its fields: {named_columns(row)}"
            )
        item = f"{number}"
        paradigm, group = row.get("UID", file), row.get("field", row.get("linguistics_term", ""))
        pairs[item] = Pair(str(paradigm), str(group))
        stimuli += [Stimulus(item, "good", (row[GOOD],)), Stimulus(item, "bad", (row[BAD],))]
    return Experiment(file, "blimp", _some(stimuli, file), pairs=pairs)


def _read_suite(lines: Iterable[str], file: str) -> Experiment:
    parts, size = [], 0
    for line in lines:
        size += len(line)
        if size > MAX_SUITE_CHARACTERS:
            raise InputError(f"{file}: over {MAX_SUITE_CHARACTERS >> 20} Mi characters of JSON; split it")
        parts.append(line)
    suite = json_object("\n".join(parts), file, MAX_SUITE_CHARACTERS)
    try:
        metric = suite.get("meta", {}).get("metric", "sum")
        formulas = [prediction["formula"] for prediction in suite.get("predictions", [])]
        stimuli = [
            _stimulus(
                str(item["item_number"]),
                str(condition["condition_name"]),
                {int(region["region_number"]): _content(region) for region in condition["regions"]},
            )
            for item in suite["items"]
            for condition in item["conditions"]
        ]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file}: not a SyntaxGym suite ({error!r:.100}); it needs items with conditions with regions"
        ) from None
    if metric not in METRICS:
        raise InputError(f"{file}: metric {metric!r:.40} is not one of {', '.join(METRICS)}")
    if not all(isinstance(formula, str) for formula in formulas):
        raise InputError(f"{file}: a formula is not text")
    try:
        predictions = tuple(parse(formula) for formula in formulas)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    return _checked(_experiment(file, "syntaxgym", stimuli, metric=metric, predictions=predictions))


def _content(region: dict[str, Any]) -> str:
    content, number = region["content"], region["region_number"]
    if not isinstance(content, str) or not 1 <= int(number) <= 1_000:
        raise TypeError("content or number of a region")
    return content.strip()


def _checked(experiment: Experiment) -> Experiment:
    """Every item has each region of each condition that a formula names."""
    regions: dict[str, dict[str, int]] = {}
    for stimulus in experiment.stimuli:
        regions.setdefault(stimulus.item, {})[stimulus.condition] = len(stimulus.regions)
    for item, conditions in regions.items():
        for prediction in experiment.predictions:
            for place in prediction.places:
                if place.condition not in conditions:
                    raise InputError(
                        f"{experiment.file}: {place} in a formula, but item {item} has no such condition; it "
                        f"has {', '.join(conditions)[:200]}"
                    )
                if place.region is not None and not 1 <= place.region <= conditions[place.condition]:
                    raise InputError(
                        f"{experiment.file}: {place} in a formula, but item {item} has "
                        f"{conditions[place.condition]} regions in that condition"
                    )
    return experiment


def _experiment(file: str, kind: str, stimuli: list[Stimulus], **more: Any) -> Experiment:
    for stimulus in _some(stimuli, file):
        if not any(stimulus.regions):
            raise InputError(f"{file}: item {stimulus.item}, {stimulus.condition}: no words in the regions")
    return Experiment(file, kind, stimuli, **more)


def _some(stimuli: list[Stimulus], file: str) -> list[Stimulus]:
    if not stimuli:
        raise InputError(f"{file}: no stimuli in it")
    return stimuli


FORMATS: dict[str, Callable[[Iterable[str], str], Experiment]] = {
    "csv": _read_csv,
    "blimp": _read_blimp,
    "syntaxgym": _read_suite,
    "syntaxgym-csv": _read_long_csv,
}
"""How a file of stimuli is read; each gives an Experiment."""
