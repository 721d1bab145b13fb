"""What a classifier learns from: read, split, and made into ids."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from langmodel.classification.config import ClassifierConfig
from langmodel.classification.labelled import (
    Columns,
    LabelledText,
    class_names,
    held_out,
    read_labelled,
    read_texts,
)
from langmodel.classification.texts import ClassifierData, EncodedTexts, encode_text, own_pipeline, tokenized
from langmodel.errors import ConfigError, CorpusError
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import Vocabulary, build_vocabulary


@dataclass(frozen=True)
class TextSplits:
    """Texts with labels, and texts whose label is not used, if it is known at all."""

    labels: tuple[str, ...]
    train: list[LabelledText]
    valid: list[LabelledText]
    test: list[LabelledText]
    unlabelled: list[LabelledText]

    @property
    def digest(self) -> str:
        """SHA-256 of all texts and labels in their splits."""
        parts = [self.labels, *([[t.text, t.label] for t in s] for s in self._all)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def _all(self) -> tuple[list[LabelledText], ...]:
        return self.train, self.valid, self.test, self.unlabelled

    @property
    def line(self) -> str:
        """For a person."""
        train, valid, test, unlabelled = map(len, self._all)
        counts = Counter(text.label for text in self.train)
        shown = ", ".join(f"{label} {counts[label]:,}" for label in self.labels[:10])
        more = f", and {len(self.labels) - 10} more" if len(self.labels) > 10 else ""
        return (
            f"{train:,} texts to learn from ({shown}{more}), {valid:,} to validate"
            + (f", {test:,} to test" if test else "")
            + (f", {unlabelled:,} unlabelled" if unlabelled else "")
        )


def read_splits(
    sources: Sequence[str],
    config: ClassifierConfig,
    columns: Columns,
    *,
    valid: Sequence[str] = (),
    test: Sequence[str] = (),
    unlabelled: Sequence[str] = (),
    valid_fraction: float,
    most_labels: int | None = None,
) -> TextSplits:
    """With `most_labels`, the labels of so many training texts are used; the other texts count as unlabelled.

    Raises CorpusError for texts, ConfigError for a split that cannot be made.
    """
    texts = read_labelled(sources, columns)
    labels = class_names(texts)
    valid_texts, test_texts = read_labelled(valid, columns), read_labelled(test, columns)
    for each in (*valid_texts, *test_texts):
        if each.label not in labels:
            raise CorpusError(
                f"{each.place}: label {each.label!r:.80} is not in the training texts, which have "
                f"{', '.join(labels)[:300]}"
            )
    more = [each for source in unlabelled for each in read_texts(source, columns) if each.text.strip()]
    if unlabelled and not more:
        raise CorpusError(f"{unlabelled[0]}: no texts in it")
    return split(
        labels,
        texts,
        config,
        valid_texts,
        test_texts,
        more,
        valid_fraction=valid_fraction,
        most_labels=most_labels,
    )


def split(
    labels: tuple[str, ...],
    texts: list[LabelledText],
    config: ClassifierConfig,
    valid: list[LabelledText],
    test: list[LabelledText],
    unlabelled: list[LabelledText],
    *,
    valid_fraction: float,
    most_labels: int | None = None,
) -> TextSplits:
    """Hold out validation texts unless there are some; then set labels aside. Both by class and seed."""
    if not valid:
        stay, out = held_out([each.label for each in texts], valid_fraction, config.seed)
        texts, valid = [texts[row] for row in stay], [texts[row] for row in out]
    if most_labels is not None:
        if not len(labels) <= most_labels <= len(texts):
            raise ConfigError(
                f"--labels must be from {len(labels)}, one for each class, to {len(texts)}, got {most_labels}"
            )
        if most_labels < len(texts):
            rest, used = held_out([each.label for each in texts], most_labels / len(texts), config.seed)
            unlabelled = [*(texts[row] for row in rest), *unlabelled]
            texts = [texts[row] for row in used]
    return TextSplits(labels, texts, valid, test, unlabelled)


@dataclass(frozen=True)
class EncodedSplits:
    """The splits as ids, and what made them."""

    vocabulary: Vocabulary
    pipeline: Pipeline
    data: ClassifierData
    test: EncodedTexts


def encode_splits(
    splits: TextSplits, config: ClassifierConfig, language: tuple[Vocabulary, Pipeline] | None
) -> EncodedSplits:
    """By a language model's vocabulary and pipeline, or by those of the texts themselves."""
    if language is None:
        pipeline = own_pipeline(config.case)
        counts = Counter(
            word
            for each in (*splits.train, *splits.unlabelled)
            for sentence in tokenized(each.text, pipeline)
            for word in sentence
        )
        vocabulary = build_vocabulary(counts, size=config.vocabulary_size, min_count=config.min_count)
    else:
        vocabulary, pipeline = language
    numbers = {label: number for number, label in enumerate(splits.labels)}

    def encoded(texts: list[LabelledText]) -> EncodedTexts:
        return EncodedTexts.of(
            [encode_text(each.text, pipeline, vocabulary, config.max_words) for each in texts],
            [numbers.get(each.label or "", -1) for each in texts],
        )

    train = encoded(splits.train)
    if np.unique(train.labels).size != len(splits.labels):
        missing = [name for number, name in enumerate(splits.labels) if number not in train.labels]
        raise CorpusError(f"no text of class {missing[0]!r} is left to learn from; give more of them")
    unlabelled = encoded(splits.unlabelled) if splits.unlabelled else None
    return EncodedSplits(
        vocabulary, pipeline, ClassifierData(train, encoded(splits.valid), unlabelled), encoded(splits.test)
    )
