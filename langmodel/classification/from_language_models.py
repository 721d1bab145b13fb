"""A classifier that begins with one or two language models (Dai and Le 2015; Howard and Ruder 2018)."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch.nn import Parameter

from langmodel.classification.architecture import ClassifierArchitecture
from langmodel.classification.config import ClassifierConfig
from langmodel.classification.encoder import TextClassifier
from langmodel.errors import ConfigError
from langmodel.network.architecture import DIRECTIONS
from langmodel.storage.model_file import SavedModel, load_model, model_path


def load_language_models(paths: Sequence[Path], *, alone: bool = True) -> list[SavedModel]:
    """One model, which reads forward if it stands `alone`, or two, one of them backward; forward first.

    Raises ConfigError for models that cannot be put together.
    """
    models = [load_model(model_path(path)) for path in paths]
    for path, model in zip(paths, models, strict=True):
        if model.network.architecture.embedding_size == 0:
            raise ConfigError(
                f"{path}: has no word vectors (--embedding-size 0), but a classifier needs them"
            )
    if len(models) == 2:
        models.sort(key=lambda model: model.direction == "backward")
        first, second = models
        names = f"{paths[0]} and {paths[1]}"
        if (first.direction, second.direction) != DIRECTIONS:
            raise ConfigError(f"{names} read in the same direction; train one of them with --backward")
        if first.pipeline != second.pipeline or first.vocabulary != second.vocabulary:
            raise ConfigError(f"{names} were trained on different corpora; train both on one")
        if first.network.architecture != second.network.architecture:
            raise ConfigError(f"{names} have different architectures; train them alike")
    elif len(models) > 2:
        raise ConfigError(f"--from takes a model for each direction, so two at most, got {len(models)}")
    elif alone and models[0].direction == "backward":
        raise ConfigError(f"{paths[0]} reads backward; give a forward model, alone or beside it")
    return models


def architecture_from(
    models: Sequence[SavedModel], config: ClassifierConfig, classes: int
) -> ClassifierArchitecture:
    """The shapes of the models, and the config's pooling and dense layer. One model reads forward."""
    a = models[0].network.architecture
    return replace(
        config.architecture(a.vocabulary_size, classes),
        cell=a.cell,
        embedding_size=a.embedding_size,
        hidden_sizes=a.hidden_sizes,
        directions=DIRECTIONS[: len(models)],
        own_embeddings=len(models) == 2,
        dense_size=max(1, a.hidden_sizes[-1] // 2) if config.dense else 0,
    )


def begin_with(network: TextClassifier, models: Sequence[SavedModel]) -> list[list[Parameter]]:
    """Give every network the models' word vectors and layers; the parameters from the top down, by depth.

    A model without biases leaves the networks' at zero.
    """
    by_network = [_begin_one(each, models) for each in network.networks]
    return [[p for group in groups for p in group] for groups in zip(*by_network, strict=True)]


def _begin_one(network: TextClassifier, models: Sequence[SavedModel]) -> list[list[Parameter]]:
    with torch.no_grad():
        for embedding, model in zip(network.embeddings, models, strict=True):
            embedding.copy_(model.network.word_vectors(torch.arange(len(embedding))))
        for layers, model in zip(network.stacks(), models, strict=True):
            weights = model.network.state_dict()
            for depth, layer in enumerate(layers):
                for name, parameter in layer.named_parameters():
                    theirs = weights.get(f"layers.{depth}.{name}")
                    parameter.copy_(torch.zeros_like(parameter) if theirs is None else theirs)
    top = [
        parameter
        for name, parameter in network.named_parameters()
        if not name.startswith(("embeddings.", "directions.", "others."))
    ]
    by_depth = zip(*network.stacks(), strict=True)
    groups = [[p for layer in layers for p in layer.parameters()] for layers in by_depth]
    return [top, *reversed(groups), list(network.embeddings)]
