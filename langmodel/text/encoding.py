"""A piece of text -> provisional ids in files, in any process: the work that is worth sharing out."""

import hashlib
import json
import platform
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from langmodel.text.casing import INITIAL, first_word, is_capitalised
from langmodel.text.own_tokenizer import code_of, is_own
from langmodel.text.pieces import Piece
from langmodel.text.pipeline import Pipeline
from langmodel.text.sources import Reading

END_MARK, UNK_MARK, FIRST_TYPE = 0, 1, 2
"""Provisional ids while the vocabulary is not known yet: END, `unk_token`, then the types as they come."""

IDS_AT_ONCE = 2**20
"""Ids that are held before they are written, or after they are read."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """A piece whose ids lie in `files`: what is to be known of its passages, in order."""

    files: Path
    split: str | None
    """The one that all of it belongs to; None: not dealt out yet."""
    documents: Counts
    """The number of the document of each."""
    characters: Counts
    tokens: int
    """Words of all together."""
    was_there: bool
    """Finished by an earlier run."""


@dataclass
class Encoder:
    """Words -> provisional ids, numbered as they come; `types[i]` has id FIRST_TYPE + i."""

    pipeline: Pipeline

    def __post_init__(self) -> None:
        unk_token = self.pipeline.unk_token
        self.types: list[str] = []
        self._known: dict[str, int] = {}
        self._seen = {} if unk_token is None else {self.pipeline.normalize(unk_token): UNK_MARK}

    def encode(self, passage: str, ids: list[int]) -> tuple[int, int]:
        """Add a passage's ids; returns its sentences and the words of the longest one.

        Every sentence's ids are followed by END_MARK; a passage without words leaves nothing. With case
        `true`, a capitalised first word is a type of its own, marked INITIAL.
        """
        pipeline, known = self.pipeline, self._known
        finds_case = pipeline.case == "true"
        sentences = longest = 0
        for sentence in pipeline.split_sentences(passage):
            words = pipeline.tokenize(sentence)
            if not words:
                continue
            if finds_case and (first := first_word(words)) is not None and is_capitalised(words[first]):
                words[first] = INITIAL + words[first]
            for word in words:
                id = known.get(word)
                if id is None:
                    id = known[word] = self._new(word)
                ids.append(id)
            ids.append(END_MARK)
            sentences += 1
            longest = max(longest, len(words))
        return sentences, longest

    def _new(self, word: str) -> int:
        normal = self.pipeline.normalize(word)
        id = self._seen.get(normal)
        if id is None:
            id = self._seen[normal] = FIRST_TYPE + len(self.types)
            self.types.append(normal)
        return id


@lru_cache(maxsize=2)
def _pipeline(settings: str) -> Pipeline:
    return Pipeline.from_dict(json.loads(settings))


def prepare_to_encode() -> None:
    """Called by a process that will be given pieces: what takes time at first is to import this module."""


def encode_piece(settings: str, reading: Reading, folder: Path, piece: Piece) -> Encoded:
    """Read, split and tokenize a piece, and write its ids into `folder`, if they are not there already.

    `settings` is a pipeline's JSON, so that any process can be sent it. Raises CorpusError for text that
    cannot be read, OSError for a folder that cannot be written.
    """
    identity = f"{settings}\n{_software(settings)}\n{reading}\n{piece.split}\n{piece.identify()}"
    files = folder / hashlib.sha256(identity.encode(errors="surrogatepass")).hexdigest()[:32]
    if _is_whole(files):
        return _as_encoded(files, piece.split, was_there=True)
    _encode(_pipeline(settings), reading, piece, files)
    return _as_encoded(files, piece.split, was_there=False)


@lru_cache(maxsize=2)
def _software(settings: str) -> str:
    """What else decides how a text is split: versions, and the code of a tokenizer of one's own."""
    tokenizer = _pipeline(settings).tokenizer
    code = code_of(tokenizer) if is_own(tokenizer) else b""
    return f"{software_versions()} {hashlib.sha256(code).hexdigest()}"


def software_versions() -> dict[str, str]:
    """Of what splits a text."""
    versions = {"python": platform.python_version()}
    for package in ("langmodel", "nltk"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return versions


def _is_whole(files: Path) -> bool:
    """Whether all of a piece is there: the power may have failed while it was written."""
    try:
        types_of(files)
        return files.with_suffix(".ids").stat().st_size == 4 * int(passage_rows(files)["ids"].sum())
    except (OSError, EOFError, ValueError, LookupError, BadZipFile):
        return False


def _encode(pipeline: Pipeline, reading: Reading, piece: Piece, files: Path) -> None:
    encoder = Encoder(pipeline)
    ids: list[int] = []
    rows = {name: array("q") for name in ("documents", "characters", "ids", "sentences", "longest")}
    mine = uuid4().hex  # another process may be given the same piece
    unfinished = {kind: files.with_name(f"{files.name}{kind}.{mine}") for kind in (".ids", ".types", ".npz")}
    with unfinished[".ids"].open("wb") as output:
        for document, passage in piece.passages(reading, pipeline.sentences):
            before = len(ids)
            sentences, longest = encoder.encode(passage, ids)
            new = (document, len(passage), len(ids) - before, sentences, longest)
            for column, value in zip(rows.values(), new, strict=True):
                column.append(value)
            if len(ids) > IDS_AT_ONCE:
                np.array(ids, np.uint32).tofile(output)
                ids.clear()
        np.array(ids, np.uint32).tofile(output)
    unfinished[".types"].write_text(json.dumps(encoder.types), encoding="utf-8")
    columns: dict[str, Any] = {name: np.array(column, np.int64) for name, column in rows.items()}
    with unfinished[".npz"].open("wb") as output:
        np.savez(output, **columns)
    for kind, file in unfinished.items():  # the piece is there when the last is
        file.replace(files.with_suffix(kind))


def passage_rows(files: Path) -> dict[str, Counts]:
    """Of an encoded piece, one number per passage: documents, characters, ids, sentences, longest."""
    with files.with_suffix(".npz").open("rb") as file, np.load(file, allow_pickle=False) as rows:
        return {name: rows[name] for name in rows.files}


def types_of(files: Path) -> list[str]:
    types: list[str] = json.loads(files.with_suffix(".types").read_text(encoding="utf-8"))
    return types


def read_ids(files: Path, lengths: Counts) -> Iterator[tuple[slice, npt.NDArray[np.uint32]]]:
    """The ids of some passages at a time, and which passages they are."""
    ends = np.cumsum(lengths)
    first = 0
    with files.with_suffix(".ids").open("rb") as stream:
        while first < len(lengths):
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + IDS_AT_ONCE)))
            yield slice(first, last), np.fromfile(stream, np.uint32, int(ends[last - 1]) - done)
            first = last


def _as_encoded(files: Path, split: str | None, *, was_there: bool) -> Encoded:
    rows = passage_rows(files)
    tokens = int(rows["ids"].sum() - rows["sentences"].sum())
    return Encoded(files, split, rows["documents"], rows["characters"], tokens, was_there)
