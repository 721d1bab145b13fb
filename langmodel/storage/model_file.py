"""The model file: weights, architecture, vocabulary and pipeline; for `last`, the training state too."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from langmodel.errors import InputError, ModelFileError
from langmodel.network.architecture import CONTEXTS, DIRECTIONS, Architecture
from langmodel.network.mixture import NgramPart
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.storage.atomic import write_atomically
from langmodel.storage.container import pack, read_document, read_file, read_tensors, refuse_too_large
from langmodel.storage.ngram_tensors import ngram_tensors, read_ngrams
from langmodel.storage.training_state import TrainingState
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import Vocabulary

BEST, LAST = "best.safetensors", "last.safetensors"

PREVIOUS = "previous.safetensors"
"""What `last` was before the latest save: --resume falls back to it if `last` is damaged."""

DAMAGED = "damaged.safetensors"
"""A `last` that could not be read, put aside."""

WEIGHT, TRAINING, NGRAMS = "model.", "training.", "ngrams."
"""Prefixes of tensor names."""


@dataclass(frozen=True, kw_only=True)
class SavedModel:
    """All that a model file holds."""

    network: RecurrentLM
    vocabulary: Vocabulary
    pipeline: Pipeline
    context: str
    """What the state was carried over in training: `document`, or `sentence`."""
    direction: str = "forward"
    """`backward` if the network was trained on texts from their end, for a classifier to begin with."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Settings, corpus digest, seed, step, results: for people and for `info`."""
    training: TrainingState | None = None
    ngrams: NgramPart | None = None
    """What the model has beside its network."""


def save_model(path: Path, model: SavedModel, *, keep_as: Path | None = None) -> None:
    """Write the file whole or not at all; the same content gives the same bytes.

    With `keep_as`, the file that was there before stays under that name.
    """
    tensors = {f"{WEIGHT}{name}": tensor for name, tensor in model.network.state_dict().items()}
    document: dict[str, Any] = {
        "architecture": model.network.architecture.to_dict(),
        **language_of(model.vocabulary, model.pipeline),
        "context": model.context,
        "direction": model.direction,
        "provenance": model.provenance,
        "training": None,
        "ngrams": None,
    }
    if model.ngrams is not None:
        tensors |= {f"{NGRAMS}{name}": tensor for name, tensor in ngram_tensors(model.ngrams).items()}
        document["ngrams"] = {"order": model.ngrams.ngrams.order}
    if model.training is not None:
        tensors |= {f"{TRAINING}{name}": tensor for name, tensor in model.training.tensors.items()}
        document["training"] = model.training.values
    write_atomically(path, pack(tensors, document), keep_as=keep_as)


def language_of(vocabulary: Vocabulary, pipeline: Pipeline) -> dict[str, Any]:
    """What a file says of words and text."""
    words = {"words": vocabulary.words, "counts": vocabulary.counts}
    return {"vocabulary": words, "pipeline": pipeline.to_dict()}


def read_language(document: dict[str, Any]) -> tuple[Vocabulary, Pipeline]:
    """The inverse of `language_of`.

    Raises LookupError, TypeError, AttributeError or InputError for what it does not give.
    """
    words, counts = document["vocabulary"]["words"], document["vocabulary"]["counts"]
    vocabulary = Vocabulary(words, counts)
    if not all(type(word) is str for word in words) or not all(type(n) is int for n in counts):
        raise TypeError("vocabulary")
    return vocabulary, Pipeline.from_dict(document["pipeline"])


def refuse_what_does_not_fit(vocabulary: Vocabulary, pipeline: Pipeline) -> None:
    """Raises LangModelError for more words than a model file has room for, before anything is trained."""
    refuse_too_large(language_of(vocabulary, pipeline))


def model_path(path: Path) -> Path:
    """A run directory means its best model."""
    if path.is_dir():
        if not (path / BEST).is_file() and (path / LAST).is_file():
            return path / LAST
        if not (path / BEST).is_file():
            raise ModelFileError(f"{path}: holds no {BEST}; give a run directory or a .safetensors file")
        return path / BEST
    return path


def load_model(path: Path, device: torch.device = torch.device("cpu")) -> SavedModel:
    """Read and check a model file; sizes are checked before memory is taken.

    Raises ModelFileError for a file that is missing, foreign, damaged, newer, or at odds with itself.
    """
    data = read_file(path)
    document = read_document(path, data)
    if document.get("kind") == "classifier":
        raise ModelFileError(
            f"{path}: a classifier, not a language model; use it with `langmodel classify {path}`"
        )
    try:
        if document["format"] == 1:  # kept the rate of dropout, a matter of training, with the shapes
            document["architecture"].pop("dropout")
        architecture = Architecture.from_dict(document["architecture"])
        vocabulary, pipeline = read_language(document)
        context = document["context"]
        direction = document["direction"] if document["format"] > 4 else "forward"
        ngrams = document["ngrams"] if document["format"] > 3 else None
        order = None if ngrams is None else ngrams["order"]
    except (LookupError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{path}: a part is missing or malformed ({error!r})") from None
    except InputError as error:
        raise ModelFileError(f"{path}: {error}") from None
    if context not in CONTEXTS or direction not in DIRECTIONS:
        raise ModelFileError(f"{path}: context or direction is malformed")
    parts = () if order is None else (NGRAMS,)
    with torch.device("meta"):
        network = RecurrentLM(architecture)
    tensors, training = fill(path, data, network, vocabulary, document, parts)
    part = None
    if order is not None:
        rest = {n.removeprefix(NGRAMS): t for n, t in tensors.items() if n.startswith(NGRAMS)}
        try:
            part = read_ngrams(rest, order, len(vocabulary), architecture.output_size).to(device)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from None
    return SavedModel(
        network=network.to(device).eval(),
        vocabulary=vocabulary,
        pipeline=pipeline,
        context=context,
        direction=direction,
        provenance=document["provenance"],
        training=training,
        ngrams=part,
    )


def fill(
    path: Path,
    data: bytes,
    network: nn.Module,
    vocabulary: Vocabulary,
    document: dict[str, Any],
    parts: tuple[str, ...] = (),
) -> tuple[dict[str, Tensor], TrainingState | None]:
    """Give an empty network (on `meta`) the weights of a file, once they are known to fit.

    Returns all tensors, whose names begin with WEIGHT, TRAINING or one of `parts`, and the training state, if
    there is one. Raises ModelFileError.
    """
    provenance, values = document.get("provenance"), document.get("training", ())
    if not isinstance(provenance, dict) or not isinstance(values, dict | None):
        raise ModelFileError(f"{path}: provenance or training state is malformed")
    rows = network.architecture.vocabulary_size  # type: ignore[union-attr]
    if len(vocabulary) != rows:
        raise ModelFileError(f"{path}: {len(vocabulary)} vocabulary rows but a network of {rows}")
    tensors = read_tensors(path, data)
    known = (WEIGHT, *([] if values is None else [TRAINING]), *parts)
    stray = [name for name in tensors if not name.startswith(known)]
    if stray:
        raise ModelFileError(f"{path}: tensor {stray[0]!r:.80} is not part of a model")
    weights = {n.removeprefix(WEIGHT): t for n, t in tensors.items() if n.startswith(WEIGHT)}
    _check_weights(path, network, weights)
    network.load_state_dict(weights, assign=True)
    if values is None:
        return tensors, None
    rest = {n.removeprefix(TRAINING): t for n, t in tensors.items() if n.startswith(TRAINING)}
    return tensors, TrainingState(values, rest)


def _check_weights(path: Path, network: nn.Module, weights: dict[str, Tensor]) -> None:
    expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
    for name in sorted(expected.keys() ^ weights.keys()):
        what = "is missing" if name in expected else "is not part of this architecture"
        raise ModelFileError(f"{path}: tensor {name!r} {what}")
    for name, tensor in weights.items():
        if tensor.shape != expected[name] or tensor.dtype != torch.float32:
            raise ModelFileError(
                f"{path}: tensor {name!r} is {tensor.dtype} {tuple(tensor.shape)}, "
                f"expected torch.float32 {tuple(expected[name])}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ModelFileError(f"{path}: tensor {name!r} holds a value that is not finite")
