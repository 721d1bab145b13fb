"""Classifier: the face of a trained classifier. Text in; labels and probabilities out."""

# N = texts, C = classes

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from langmodel.classification.classifier_file import SavedClassifier, load_classifier_file
from langmodel.classification.encoder import TextClassifier
from langmodel.classification.judging import Judgement, judge
from langmodel.classification.labelled import Columns, LabelledText, read_labelled
from langmodel.classification.prediction import class_probabilities
from langmodel.classification.texts import EncodedTexts, encode_text
from langmodel.errors import CorpusError
from langmodel.network.device import choose_device
from langmodel.storage.model_file import model_path
from langmodel.text.pipeline import Pipeline
from langmodel.text.reading import read_sentences
from langmodel.text.vocabulary import START_ID, UNK_ID, Vocabulary

CHUNK_TEXTS = 1_024
"""Texts of a stream that are held at once."""


@dataclass(frozen=True)
class Classification:
    """What a classifier says of a text."""

    text: str
    label: str
    """The most probable class."""
    probabilities: Mapping[str, float]
    """Of every class; they sum to one."""
    words: int
    unknown: int
    """Words that the classifier does not know."""

    @property
    def probability(self) -> float:
        """Of the label."""
        return self.probabilities[self.label]

    def __str__(self) -> str:
        return f"{self.label} ({self.probability:.1%})"


@dataclass(frozen=True)
class Evidence:
    """How much each word speaks for the label."""

    classification: Classification
    words: tuple[tuple[str, float], ...]
    """Each word with the log-odds of the label, in nats, that the text loses without it."""


class Classifier:
    """A trained network with the labels, the vocabulary and the text pipeline that belong to it."""

    def __init__(
        self,
        network: TextClassifier,
        labels: Sequence[str],
        vocabulary: Vocabulary,
        pipeline: Pipeline,
        max_words: int = 0,
        provenance: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.network = network.eval()
        self.labels = tuple(labels)
        self.vocabulary = vocabulary
        self.pipeline = pipeline
        self.max_words = max_words
        self.provenance = dict(provenance)

    @classmethod
    def of(cls, saved: SavedClassifier) -> "Classifier":
        return cls(
            saved.network, saved.labels, saved.vocabulary, saved.pipeline, saved.max_words, saved.provenance
        )

    def __repr__(self) -> str:
        a = self.network.architecture
        return (
            f"<Classifier: {' and '.join(a.directions)} {a.cell.upper()} "
            f"{'-'.join(map(str, a.hidden_sizes))}, {len(self.labels)} classes, "
            f"{len(self.vocabulary):,} vocabulary rows>"
        )

    @overload
    def classify(self, text: str) -> Classification: ...

    @overload
    def classify(self, text: list[str] | tuple[str, ...]) -> list[Classification]: ...

    def classify(self, text: str | list[str] | tuple[str, ...]) -> Classification | list[Classification]:
        """The label of a text and the probability of every class; several texts are classified separately."""
        found = list(self.classify_all([text] if isinstance(text, str) else text))
        return found[0] if isinstance(text, str) else found

    def classify_all(self, texts: Iterable[str]) -> Iterator[Classification]:
        """The same for a stream of texts, in order, read lazily."""
        rest = iter(texts)
        while chunk := list(islice(rest, CHUNK_TEXTS)):
            encoded = [self.encode(text) for text in chunk]
            for text, ids, row in zip(chunk, encoded, self._probabilities(encoded).tolist(), strict=True):
                words = [id for id in ids if id != START_ID]
                yield Classification(
                    text,
                    self.labels[int(np.argmax(row))],
                    dict(zip(self.labels, row, strict=True)),
                    len(words),
                    words.count(UNK_ID),
                )

    def encode(self, text: str) -> list[int]:
        """What the network reads of a text: START and the words' ids, for every sentence."""
        if not isinstance(text, str):
            raise TypeError(f"expected a text as str, got {type(text).__name__}")
        return encode_text(text, self.pipeline, self.vocabulary, self.max_words)

    def _probabilities(self, ids: Sequence[Sequence[int]]) -> npt.NDArray[np.float64]:
        return class_probabilities(self.network, EncodedTexts.of(ids, [-1] * len(ids)))

    def explain(self, text: str) -> Evidence:
        """The classification, and what each word adds to it: the text is read again without each in turn.

        The time it takes grows with the square of the text's length.
        """
        result = self.classify(text)
        ids = self.encode(text)
        places = [place for place, id in enumerate(ids) if id != START_ID]
        without = self._probabilities([ids[:place] + ids[place + 1 :] for place in places] or [ids])
        label = self.labels.index(result.label)
        whole = _log_odds(np.array([result.probability]))[0]
        lost = whole - _log_odds(without[:, label])
        return Evidence(result, tuple(zip(self._words(text), lost.tolist(), strict=False)))

    def _words(self, text: str) -> list[str]:
        placed = read_sentences(text.split("\n"), self.pipeline)
        words = [word for sentence in placed for word in self.pipeline.tokenize(sentence.text)]
        return words[: self.max_words] if self.max_words else words

    def evaluate(self, *sources: str, columns: Columns = Columns()) -> Judgement:
        """What the classifier reaches on labelled texts. Raises CorpusError for unknown labels."""
        return self.judge(read_labelled(sources, columns))

    def judge(self, texts: Sequence[LabelledText]) -> Judgement:
        numbers = label_numbers(texts, self.labels)
        return judge(self._probabilities([self.encode(each.text) for each in texts]), numbers, self.labels)


def _log_odds(probability: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    inside = np.clip(probability, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def label_numbers(texts: Sequence[LabelledText], labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """The number of each text's label. Raises CorpusError for one that is not among the labels."""
    numbers = {label: number for number, label in enumerate(labels)}
    for each in texts:
        if each.label not in numbers:
            raise CorpusError(
                f"{each.place}: label {each.label!r:.80} is none of those learnt: {', '.join(labels)[:300]}"
            )
    return np.array([numbers[str(each.label)] for each in texts], dtype=np.int64)


def load_classifier(path: str | Path, device: str = "cpu") -> Classifier:
    """The classifier of a run directory, or that in a `.safetensors` file.

    Raises ModelFileError for a file, ConfigError for a device that cannot be used.
    """
    return Classifier.of(load_classifier_file(model_path(Path(path)), choose_device(device)))
