"""Texts as ids, and batches of texts of nearly equal length."""

# T = time, B = batch

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from langmodel.text.pipeline import Pipeline
from langmodel.text.reading import read_sentences
from langmodel.text.sentences import listed_abbreviations
from langmodel.text.vocabulary import END_ID, START_ID, Vocabulary

POOL_BATCHES = 50
"""So many batches' texts are drawn at random, then sorted by length: order stays random, padding rare."""

LEAST_POOLS = 3
"""Of an epoch: with one alone, few texts would make the same batches every time."""


def own_pipeline(case: str) -> Pipeline:
    """How texts are read without a language model to follow."""
    return Pipeline(tokenizer="nltk", sentences="punkt", case=case, punkt=listed_abbreviations())


def tokenized(text: str, pipeline: Pipeline) -> list[list[str]]:
    """The sentences of a text as words, in the form under which a vocabulary knows them."""
    sentences = (placed.text for placed in read_sentences(text.split("\n"), pipeline))
    return [pipeline.normalize_sentence(pipeline.tokenize(sentence)) for sentence in sentences]


def encode_text(text: str, pipeline: Pipeline, vocabulary: Vocabulary, max_words: int = 0) -> list[int]:
    """What the encoder reads: ids of words, with START in front of each sentence."""
    ids: list[int] = []
    words = 0
    for placed in read_sentences(text.split("\n"), pipeline):
        sentence = pipeline.encode(pipeline.tokenize(placed.text), vocabulary)
        if max_words:
            sentence = sentence[: max_words - words]
        words += len(sentence)
        ids += [START_ID, *sentence]
        if max_words and words >= max_words:
            break
    return ids or [START_ID]


@dataclass(frozen=True)
class Batch:
    """Texts side by side, the shorter ones filled up with END, which no encoder sees."""

    ids_TB: Tensor
    lengths_B: Tensor
    labels_B: Tensor
    """-1 where it is not known."""
    rows: list[int]
    """Which texts these are."""

    def to(self, device: torch.device) -> "Batch":
        if device.type == "cpu":
            return self
        return Batch(self.ids_TB.to(device), self.lengths_B.to(device), self.labels_B.to(device), self.rows)


@dataclass(frozen=True)
class EncodedTexts:
    """Texts as ids, with the numbers of their labels."""

    ids: tuple[np.ndarray, ...]
    labels: np.ndarray

    @classmethod
    def of(cls, ids: Iterable[Sequence[int]], labels: Sequence[int]) -> "EncodedTexts":
        arrays = tuple(np.asarray(row, dtype=np.int32) for row in ids)
        return cls(arrays, np.asarray(labels, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def mean_length(self) -> float:
        return float(np.mean([len(row) for row in self.ids])) if self.ids else 0.0

    def subset(self, rows: Iterable[int]) -> "EncodedTexts":
        chosen = list(rows)
        return EncodedTexts(tuple(self.ids[row] for row in chosen), self.labels[chosen])

    def relabelled(self, labels: Sequence[int]) -> "EncodedTexts":
        return EncodedTexts(self.ids, np.asarray(labels, dtype=np.int64))

    def joined(self, other: "EncodedTexts") -> "EncodedTexts":
        return EncodedTexts(self.ids + other.ids, np.concatenate([self.labels, other.labels]))

    def batch(self, rows: Sequence[int]) -> Batch:
        lengths = [len(self.ids[row]) for row in rows]
        ids_TB = np.full((max(lengths), len(rows)), END_ID, dtype=np.int64)
        for column, row in enumerate(rows):
            ids_TB[: lengths[column], column] = self.ids[row]
        return Batch(
            torch.from_numpy(ids_TB),
            torch.tensor(lengths),
            torch.from_numpy(self.labels[list(rows)]),
            list(rows),
        )

    def shuffled(self, batch_size: int, seed: Sequence[int]) -> list[list[int]]:
        """The rows of each batch of an epoch, by the seed: in random order, each of like lengths."""
        chance = np.random.default_rng(list(seed))
        order = chance.permutation(len(self)).tolist()
        batches: list[list[int]] = []
        size = min(POOL_BATCHES, -(-len(order) // (LEAST_POOLS * batch_size))) * batch_size
        for start in range(0, len(order), size):
            pool = sorted(order[start : start + size], key=lambda row: len(self.ids[row]))
            batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
        return [batches[index] for index in chance.permutation(len(batches))]

    def by_length(self, most_words: int = 2**15) -> Iterator[list[int]]:
        """All rows, the shortest first, in batches of at most so many words, fillers included."""
        batch: list[int] = []
        for row in sorted(range(len(self)), key=lambda row: len(self.ids[row])):
            if batch and (len(batch) + 1) * len(self.ids[row]) > most_words:
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch


@dataclass(frozen=True)
class ClassifierData:
    """The encoded texts of a run. Unlabelled ones carry their true label where it is known, else -1."""

    train: EncodedTexts
    valid: EncodedTexts
    unlabelled: EncodedTexts | None = None
