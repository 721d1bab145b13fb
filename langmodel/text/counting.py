"""Dealt pieces -> how often each type occurs in the training split: in parts, added up in a tree."""

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from langmodel.processes import shared_out
from langmodel.text.corpus_files import SPLITS
from langmodel.text.dealing import CODE, DealtPiece
from langmodel.text.encoding import FIRST_TYPE, Counts, passage_rows, read_ids, types_of

FAN_IN = 16
"""Pieces that are counted together, and files of counts that are added up."""


@dataclass
class Totals:
    """Of a split: sums over its passages."""

    ids: int = 0
    sentences: int = 0
    longest_sentence: int = 0
    characters: int = 0

    def add(self, other: "Totals") -> None:
        self.ids += other.ids
        self.sentences += other.sentences
        self.longest_sentence = max(self.longest_sentence, other.longest_sentence)
        self.characters += other.characters


def summed(totals: Iterable[Totals]) -> Totals:
    whole = Totals()
    for each in totals:
        whole.add(each)
    return whole


def count_types(
    pieces: Sequence[DealtPiece], executor: Executor | None, folder: Path
) -> tuple[list[dict[str, Totals]], dict[str, int]]:
    """What each piece gives to each split, and the counts of all types."""
    together = max(1, len(pieces)) if executor is None else FAN_IN
    groups = [pieces[start : start + together] for start in range(0, len(pieces), together)]
    files = [folder / f"counts-{number}.json" for number in range(len(groups))]
    totals = list(shared_out(executor, count_pieces, zip(groups, files, strict=True)))
    if not files:
        return [], {}
    while len(files) > 1:
        groups_of_files = [files[start : start + FAN_IN] for start in range(0, len(files), FAN_IN)]
        files = list(shared_out(executor, add_counts, groups_of_files))
    return [each for group in totals for each in group], read_counts(files[0])


def count_pieces(work: tuple[Sequence[DealtPiece], Path]) -> list[dict[str, Totals]]:
    """Write the counts of some pieces' types into a file; returns what each piece gives to each split.

    A type that only other splits have is counted 0.
    """
    pieces, output = work
    counts: dict[str, int] = {}
    totals = []
    for piece in pieces:
        rows, types = passage_rows(piece.files), types_of(piece.files)
        found = np.zeros(FIRST_TYPE + len(types), np.int64)
        for passages, ids in read_ids(piece.files, rows["ids"]):
            trains = np.repeat(piece.codes[passages] == CODE["train"], rows["ids"][passages])
            found += np.bincount(ids[trains], minlength=len(found))
        for word, n in zip(types, found[FIRST_TYPE:].tolist(), strict=True):
            counts[word] = counts.get(word, 0) + n
        totals.append({split: _totals(rows, piece.codes == CODE[split]) for split in SPLITS})
    _write(counts, output)
    return totals


def _totals(rows: dict[str, Counts], chosen: npt.NDArray[np.bool_]) -> Totals:
    return Totals(
        int(rows["ids"][chosen].sum()),
        int(rows["sentences"][chosen].sum()),
        int(rows["longest"][chosen].max(initial=0)),
        int(rows["characters"][chosen].sum() + np.count_nonzero(chosen)),
    )


def add_counts(files: Sequence[Path]) -> Path:
    """A file of the sums of several files' counts."""
    if len(files) == 1:
        return files[0]
    counts = read_counts(files[0])
    for file in files[1:]:
        for word, n in read_counts(file).items():
            counts[word] = counts.get(word, 0) + n
    output = files[0].with_suffix(".sum.json")
    _write(counts, output)
    return output


def read_counts(file: Path) -> dict[str, int]:
    counts: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return counts


def _write(counts: dict[str, int], output: Path) -> None:
    output.write_text(json.dumps(counts), encoding="utf-8")
