"""A new run that begins with a trained model's weights, on its own corpus or on another."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from langmodel.configuration import shown_value
from langmodel.errors import ConfigError
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.storage.model_file import load_model, model_path
from langmodel.text.corpus import Corpus
from langmodel.text.vocabulary import SPECIAL_TOKENS, Vocabulary

RATE = 2e-3
"""The highest rate of a run that begins with trained weights, unless one is given: the defaults' rate, which
is for random weights, unlearns more of what the model knows.
"""

LEAST_SHARED = 0.05
"""With a smaller share of known words, the model is of another language, or case."""


@dataclass(frozen=True)
class WarmStart:
    """Where the weights came from."""

    model: Path
    known: int
    """Words of the corpus that the model knows."""
    words: int
    """Of the corpus."""
    same_vocabulary: bool

    @property
    def line(self) -> str:
        if self.same_vocabulary:
            return f"begins with the weights of {self.model}"
        return (
            f"begins with the weights of {self.model}, which knows {self.known:,} of the {self.words:,} "
            f"words; {self.words - self.known:,} rows are random (preprocess --vocabulary-from avoids it)"
        )

    def to_dict(self) -> dict[str, Any]:
        return {"model": str(self.model.resolve()), "known_words": self.known, "words": self.words}


def settings_of(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given settings with the model's shapes, and RATE unless a rate is given.

    Raises ConfigError where settings and shapes contradict each other.
    """
    a = load_model(model_path(path)).network.architecture
    shapes: dict[str, Any] = {
        "cell": a.cell,
        "embedding_size": a.embedding_size,
        "hidden_size": a.hidden_sizes,
        "layers": len(a.hidden_sizes),
        "tied": a.tied,
        "bias": a.bias,
        "softmax": "adaptive" if a.cutoffs else "exact",
        "cutoffs": a.cutoffs,
        "band_factor": a.band_factor,
    }
    for name in shapes:
        wanted = given.get(name, shapes[name])
        if name == "hidden_size" and len(wanted) == 1:
            wanted = wanted * len(a.hidden_sizes)
        if wanted != shapes[name]:
            raise ConfigError(
                f"--{name.replace('_', '-')} {shown_value(wanted)}, but {path} has "
                f"{shown_value(shapes[name])}; leave it out, or train without --from"
            )
    return {"learning_rate": RATE, **given, **shapes}


def warm_start(
    network: RecurrentLM, path: Path, corpus: Corpus, generator: torch.Generator, *, backward: bool = False
) -> WarmStart:
    """Give a network the model's weights; rows of words that the model lacks are drawn like its rarer rows.

    Raises ConfigError for a model that shares hardly a word with the corpus, or reads from the other end.
    """
    file = model_path(path)
    saved = load_model(file)
    if (saved.direction == "backward") != backward:
        raise ConfigError(f"{path}: reads {saved.direction}; {'leave out' if backward else 'add'} --backward")
    theirs, ours = saved.vocabulary, corpus.vocabulary
    known = sum(word in theirs for word in ours.words)
    if known < LEAST_SHARED * len(ours.words):
        raise ConfigError(
            f"{path}: knows {known:,} of the {len(ours.words):,} words of {corpus.path}; begin with a model "
            "of the same language, tokenizer and case, or preprocess with --vocabulary-from"
        )
    weights, same_vocabulary = saved.network.state_dict(), ours == theirs
    if not same_vocabulary:
        saved.network.architecture.needs_exact_softmax("a corpus without preprocess --vocabulary-from")
        rows = _rows(ours, theirs)
        for name in sorted({"embedding", "output", "output_bias"} & set(weights)):
            weights[name] = _rearranged(weights[name], rows, generator)
    network.load_state_dict(weights)
    return WarmStart(file, known, len(ours.words), same_vocabulary)


def _rows(ours: Vocabulary, theirs: Vocabulary) -> Tensor:
    """For each of our rows, the model's; -1 for a word that it lacks."""
    words = [theirs.id_of(word) if word in theirs else -1 for word in ours.words]
    return torch.tensor([*range(len(SPECIAL_TOKENS)), *words])


def _rearranged(table_VX: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
    """The table in our order; new rows as like the rarer half of the known ones as chance allows."""
    result = table_VX[rows.clamp(min=0)].clone()
    new = rows < 0
    if bool(new.any()):
        rarer = table_VX[len(table_VX) // 2 :]
        drawn = torch.randn(result[new].shape, generator=generator)
        result[new] = rarer.mean(0) + drawn * rarer.std(0)
    return result
