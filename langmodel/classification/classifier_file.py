"""The classifier's file: weights, shape, labels, vocabulary and pipeline, in the container of models."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from langmodel.classification.architecture import ClassifierArchitecture
from langmodel.classification.encoder import TextClassifier
from langmodel.errors import InputError, ModelFileError
from langmodel.storage.atomic import write_atomically
from langmodel.storage.container import pack, read_document, read_file
from langmodel.storage.model_file import TRAINING, WEIGHT, fill, language_of, read_language
from langmodel.storage.training_state import TrainingState
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import Vocabulary

KIND = "classifier"


@dataclass(frozen=True, kw_only=True)
class SavedClassifier:
    """All that a classifier's file holds."""

    network: TextClassifier
    labels: tuple[str, ...]
    vocabulary: Vocabulary
    pipeline: Pipeline
    max_words: int = 0
    """Texts are cut after so many words; 0: never."""
    provenance: dict[str, Any] = field(default_factory=dict)
    training: TrainingState | None = None


def save_classifier(path: Path, classifier: SavedClassifier) -> None:
    """Write the file whole or not at all; the same content gives the same bytes."""
    tensors = {f"{WEIGHT}{name}": tensor for name, tensor in classifier.network.state_dict().items()}
    training = classifier.training
    if training is not None:
        tensors |= {f"{TRAINING}{name}": tensor for name, tensor in training.tensors.items()}
    document = {
        "kind": KIND,
        "architecture": classifier.network.architecture.to_dict(),
        "labels": list(classifier.labels),
        **language_of(classifier.vocabulary, classifier.pipeline),
        "max_words": classifier.max_words,
        "provenance": classifier.provenance,
        "training": None if training is None else training.values,
    }
    write_atomically(path, pack(tensors, document))


def is_classifier(path: Path) -> bool:
    """Whether a model file is a classifier's. Raises ModelFileError for what is no model file."""
    return bool(read_document(path, read_file(path)).get("kind") == KIND)


def load_classifier_file(path: Path, device: torch.device = torch.device("cpu")) -> SavedClassifier:
    """Read and check a classifier's file; sizes are checked before memory is taken.

    Raises ModelFileError for a file that is missing, foreign, damaged, newer, or at odds with itself.
    """
    data = read_file(path)
    document = read_document(path, data)
    if document.get("kind") != KIND:
        raise ModelFileError(
            f"{path}: a language model, not a classifier; make one from it with "
            f"`langmodel train-classifier DATA --from {path}`"
        )
    try:
        architecture = ClassifierArchitecture.from_dict(document["architecture"])
        vocabulary, pipeline = read_language(document)
        labels, max_words = document["labels"], document["max_words"]
    except (LookupError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{path}: a part is missing or malformed ({error!r})") from None
    except InputError as error:
        raise ModelFileError(f"{path}: {error}") from None
    if (
        not isinstance(labels, list)
        or not all(isinstance(label, str) and label for label in labels)
        or len(set(labels)) != len(labels)
        or len(labels) != architecture.classes
    ):
        raise ModelFileError(f"{path}: labels are malformed, or not one for each class")
    if type(max_words) is not int or max_words < 0:
        raise ModelFileError(f"{path}: max_words is malformed")
    with torch.device("meta"):
        network = TextClassifier(architecture)
    _, training = fill(path, data, network, vocabulary, document)
    return SavedClassifier(
        network=network.to(device).eval(),
        labels=tuple(labels),
        vocabulary=vocabulary,
        pipeline=pipeline,
        max_words=max_words,
        provenance=document["provenance"],
        training=training,
    )
