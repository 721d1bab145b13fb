"""The two streaming passes of preprocessing: text -> provisional ids -> ids of the vocabulary.

The first pass reads and tokenizes the text once and writes ids numbered by first appearance; the
second maps them to their place in the vocabulary. Neither holds the text.
"""

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from langmodel.text.corpus import SplitStatistics, id_dtype
from langmodel.text.encoding import END_MARK, FIRST_TYPE, UNK_MARK, EncodedBatch, encode_batch
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import END_ID, UNK_ID, Vocabulary

BATCH_CHARACTERS = 2**19
"""A unit of work; fixed, so that the output does not depend on who does it."""

REMAP_IDS = 2**22
"""Ids mapped at a time in the second pass."""


@dataclass(frozen=True)
class Passage:
    """A paragraph, or a line, with the split that it belongs to."""

    split: str
    text: str
    starts_document: bool


@dataclass
class SplitBuilder:
    """One split while it is written: provisional ids on disk, counts in memory."""

    file: Path
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(1024, np.int64))
    passages: list[str] = field(default_factory=list)
    characters: int = 0
    waiting_characters: int = 0
    """Of `passages`."""
    documents: int = 0
    sentences: int = 0
    longest_sentence: int = 0

    def take_passages(self) -> list[str]:
        passages, self.passages, self.waiting_characters = self.passages, [], 0
        return passages

    def count(self, ids: npt.NDArray[np.uint32]) -> None:
        counts = np.bincount(ids, minlength=len(self.counts))
        if len(counts) > len(self.counts):
            grown = np.zeros(2 * len(counts), np.int64)
            grown[: len(self.counts)] = self.counts
            self.counts = grown
        self.counts[: len(counts)] += counts


def first_pass(
    pipeline: Pipeline,
    passages: Iterator[Passage],
    builders: dict[str, SplitBuilder],
    executor: Executor | None,
    on_tokens: Callable[[int], None],
) -> dict[str, int]:
    """Write every split's provisional ids; return each type's."""
    settings = json.dumps(pipeline.to_dict())
    types: dict[str, int] = {}

    def batches() -> Iterator[tuple[str, list[str]]]:
        for passage in passages:
            builder = builders[passage.split]
            builder.passages.append(passage.text)
            builder.characters += len(passage.text) + 1
            builder.waiting_characters += len(passage.text)
            builder.documents += passage.starts_document
            if builder.waiting_characters >= BATCH_CHARACTERS:
                yield passage.split, builder.take_passages()
        for name, builder in builders.items():
            if builder.passages:
                yield name, builder.take_passages()

    with ExitStack() as files:
        outputs = {name: files.enter_context(b.file.open("wb")) for name, b in builders.items()}
        for name, encoded in _encode_all(settings, batches(), executor):
            lookup = np.empty(FIRST_TYPE + len(encoded.types), np.uint32)
            lookup[:FIRST_TYPE] = END_MARK, UNK_MARK
            lookup[FIRST_TYPE:] = [types.setdefault(t, FIRST_TYPE + len(types)) for t in encoded.types]
            ids = lookup[encoded.ids]
            outputs[name].write(ids.tobytes())
            builder = builders[name]
            builder.count(ids)
            builder.sentences += encoded.sentences
            builder.longest_sentence = max(builder.longest_sentence, encoded.longest_sentence)
            on_tokens(len(ids) - encoded.sentences)
    return types


def _encode_all(
    settings: str, batches: Iterator[tuple[str, list[str]]], executor: Executor | None
) -> Iterator[tuple[str, EncodedBatch]]:
    """In order, with no more batches waiting than keep the executor busy."""
    if executor is None:
        for name, passages in batches:
            yield name, encode_batch(settings, passages)
        return
    waiting: deque[tuple[str, Future[EncodedBatch]]] = deque()
    limit: int = getattr(
        executor, "ahead", 2 * (os.cpu_count() or 1) + 2
    )  # a cluster's own, or this machine's
    for name, passages in batches:
        waiting.append((name, executor.submit(encode_batch, settings, passages)))
        if len(waiting) >= limit:
            first, future = waiting.popleft()
            yield first, future.result()
    for name, future in waiting:
        yield name, future.result()


def second_pass(
    builder: SplitBuilder,
    file: Path,
    types: Mapping[str, int],
    vocabulary: Vocabulary,
    forms: Mapping[str, str],
) -> SplitStatistics:
    """Map one split's provisional ids to the vocabulary's and forget the provisional file.

    `forms` has the types that are written otherwise than they were counted.
    """
    dtype = id_dtype(len(vocabulary))
    lookup = np.full(FIRST_TYPE + len(types), UNK_ID, dtype)
    lookup[END_MARK] = END_ID
    for word in vocabulary.words:
        if word in types:
            lookup[types[word]] = vocabulary.id_of(word)
    for word, form in forms.items():
        lookup[types[word]] = vocabulary.id_of(form)
    size = builder.file.stat().st_size // 4
    unknown = 0
    digest = hashlib.sha256().hexdigest()
    if size:
        hashed = hashlib.sha256()
        # Not mapped: memory stays small, and a full disk is an error and not the end of the process.
        with builder.file.open("rb") as provisional, file.open("wb") as output:
            header = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (size,)}
            np.lib.format.write_array_header_1_0(output, header)
            while len(ids := np.fromfile(provisional, np.uint32, REMAP_IDS)):
                mapped = lookup[ids]
                output.write(mapped.tobytes())
                hashed.update(mapped.tobytes())
                unknown += int(np.count_nonzero(mapped == UNK_ID))
        digest = hashed.hexdigest()
    builder.file.unlink()
    return SplitStatistics(
        documents=builder.documents,
        sentences=builder.sentences,
        tokens=size - builder.sentences,
        unknown=unknown,
        longest_sentence=builder.longest_sentence,
        sha256=digest,
        characters=builder.characters,
    )
