"""run.json and metrics.jsonl: what a run was asked to do, and how it went."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from langmodel.errors import InputError, LangModelError
from langmodel.storage.atomic import NO_LINK, write_atomically

ROW: dict[str, Any] = {
    "step": int,
    "tokens": int,
    "train_perplexity": float,
    "valid_perplexity": float | None,
}
"""What every row of metrics.jsonl has, at least."""

MAX_NUMBER = 2**62
"""Whole numbers beyond it count nothing, and are too large for a float."""

RUN, METRICS, CURVES = "run.json", "metrics.jsonl", "curves.svg"


def write_run(directory: Path, values: dict[str, Any]) -> None:
    write_atomically(directory / RUN, (json.dumps(values, indent=1) + "\n").encode())


def read_run(directory: Path) -> dict[str, Any]:
    """What run.json holds; empty if there is none."""
    file = directory / RUN
    if not file.is_file():
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: cannot be read ({error})") from None
    if not isinstance(values, dict):
        raise InputError(f"{file}: not a JSON object")
    return values


def append_metrics(directory: Path, row: dict[str, Any]) -> None:
    try:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | NO_LINK
        with os.fdopen(os.open(directory / METRICS, flags, 0o644), "w", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LangModelError(
            f"{directory / METRICS}: cannot be written ({error.strerror}); the last save is intact"
        ) from None


def read_metrics(directory: Path, row_kinds: Mapping[str, Any] = ROW) -> list[dict[str, Any]]:
    """The rows so far, in order; those that a crash or a disk has spoilt are left out."""
    file = directory / METRICS
    rows: list[dict[str, Any]] = []
    if not file.is_file():
        return rows
    for line in file.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if _is_row(row, row_kinds):
            rows.append(row)
    return rows


def _is_row(row: Any, row_kinds: Mapping[str, Any]) -> bool:
    if not isinstance(row, dict) or any(
        type(value) is int and abs(value) > MAX_NUMBER for value in row.values()
    ):
        return False
    return all(name in row and isinstance(row[name], kind) for name, kind in row_kinds.items())


def cut_metrics(directory: Path, step: int, row_kinds: Mapping[str, Any] = ROW) -> None:
    """Forget the rows of steps after `step`: a resumed run takes those steps again."""
    kept = [row for row in read_metrics(directory, row_kinds) if row["step"] <= step]
    text = "".join(json.dumps(row) + "\n" for row in kept)
    write_atomically(directory / METRICS, text.encode())
