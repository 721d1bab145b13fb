"""Dealt pieces -> ids of the vocabulary, each piece at its own place of the splits' files."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from langmodel.processes import shared_out
from langmodel.text.corpus import id_dtype
from langmodel.text.corpus_files import SPLITS
from langmodel.text.counting import Totals
from langmodel.text.dealing import CODE, DealtPiece
from langmodel.text.encoding import END_MARK, FIRST_TYPE, passage_rows, read_ids, types_of
from langmodel.text.vocabulary import END_ID, UNK_ID, Vocabulary


@dataclass(frozen=True)
class Shard:
    """What a piece became in a split."""

    ids: int
    unknown: int
    sha256: str
    """Of its ids as stored."""


@dataclass(frozen=True)
class Target:
    """The file of a split, as long as it will be; a split without ids has none."""

    file: Path
    dtype: str
    """As NumPy writes it."""
    ids: int
    header_bytes: int


def new_files(folder: Path, whole: Mapping[str, Totals], rows: int) -> dict[str, Target]:
    """A file for each split, for ids of a vocabulary of so many rows."""
    dtype = np.dtype(id_dtype(rows))
    targets = {}
    for split, totals in whole.items():
        target = Target(folder / f"{split}.npy", dtype.str, totals.ids, 0)
        if totals.ids:
            with target.file.open("wb") as output:
                header = {"descr": dtype.str, "fortran_order": False, "shape": (totals.ids,)}
                np.lib.format.write_array_header_1_0(output, header)
                target = replace(target, header_bytes=output.tell())
                output.truncate(target.header_bytes + totals.ids * dtype.itemsize)
        targets[split] = target
    return targets


def write_rows(vocabulary: Vocabulary, forms: Mapping[str, str], file: Path) -> None:
    """The row of every type that has one; `forms` has the types that are written otherwise than counted."""
    rows = {word: vocabulary.id_of(word) for word in vocabulary.words}
    rows |= {word: vocabulary.id_of(form) for word, form in forms.items()}
    file.write_text(json.dumps(rows), encoding="utf-8")


@lru_cache(maxsize=1)
def _rows(file: Path) -> dict[str, int]:
    rows: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
    return rows


def place_all(
    pieces: Sequence[DealtPiece],
    totals: Sequence[Mapping[str, Totals]],
    targets: Mapping[str, Target],
    rows: Path,
    executor: Executor | None,
) -> dict[str, list[Shard]]:
    """Write every piece's ids into the files of the splits, one piece's after another's."""
    work = []
    offsets = dict.fromkeys(SPLITS, 0)
    for piece, mine in zip(pieces, totals, strict=True):
        work.append((piece, dict(offsets)))
        for split in SPLITS:
            offsets[split] += mine[split].ids
    placed = list(shared_out(executor, partial(place_piece, targets, rows), work))
    return {split: [each[split] for each in placed if each[split].ids] for split in SPLITS}


def place_piece(
    targets: Mapping[str, Target], rows: Path, work: tuple[DealtPiece, Mapping[str, int]]
) -> dict[str, Shard]:
    """Write a piece's ids of each split at its offset there, counted in ids.

    Not into mapped memory: a full disk is an error and not the end of the process.
    """
    piece, offsets = work
    known, types, lengths = _rows(rows), types_of(piece.files), passage_rows(piece.files)["ids"]
    lookup = np.full(FIRST_TYPE + len(types), UNK_ID, np.uint32)
    lookup[END_MARK] = END_ID
    lookup[FIRST_TYPE:] = [known.get(word, UNK_ID) for word in types]
    shards = {}
    for split in SPLITS:
        target, chosen = targets[split], piece.codes == CODE[split]
        ids = unknown = 0
        hashed = hashlib.sha256()
        if int(lengths[chosen].sum()):
            with target.file.open("r+b") as output:
                output.seek(target.header_bytes + offsets[split] * np.dtype(target.dtype).itemsize)
                for passages, provisional in read_ids(piece.files, lengths):
                    mine = np.repeat(chosen[passages], lengths[passages])
                    mapped = lookup[provisional[mine]].astype(target.dtype)
                    output.write(mapped.tobytes())
                    hashed.update(mapped.tobytes())
                    ids += len(mapped)
                    unknown += int(np.count_nonzero(mapped == UNK_ID))
        shards[split] = Shard(ids, unknown, hashed.hexdigest())
    return shards


def digest_of(target: Target) -> str:
    """SHA-256 of the ids as stored."""
    hashed = hashlib.sha256()
    if target.ids:
        with target.file.open("rb") as stored:
            stored.seek(target.header_bytes)
            while block := stored.read(2**20):
                hashed.update(block)
    return hashed.hexdigest()
