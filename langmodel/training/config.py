"""Every setting of a training run, with its default; imports no torch."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from langmodel.errors import ConfigError
from langmodel.network.architecture import CONTEXTS, Architecture
from langmodel.training.presets import PRESETS

OPTIMIZERS = ("sgd", "adamw")
ON_NONFINITE = ("stop", "skip")
PRECISIONS = ("float32", "float16")
MAX_SEED = 2**32 - 1
MAX_EPOCHS = 100_000
MAX_NGRAMS = 9
SCHEDULES = ("constant", "halve", "plateau", "one-cycle", "cosine")
AVERAGES = ("none", "ema", "tail", "nt-asgd")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The network and how it is trained. Same config, corpus, machine and threads: same bits."""

    cell: str = "lstm"
    embedding_size: int = 256
    """0: no embedding; words select columns of the first layer's input matrix."""
    hidden_size: tuple[int, ...] = (384,)
    """Units per layer: one number for all layers, or one for each."""
    layers: int = 1
    tied: bool = True
    bias: bool = True
    dropout: tuple[float, ...] = (0.3,)
    """Of input, between layers, and of output: one rate for all, or each."""
    word_dropout: float = 0.0
    """Share of the vocabulary whose embedding is dropped in a window."""
    weight_drop: float = 0.0
    """Share of the recurrent matrices' entries that is dropped in a window."""
    ar: float = 0.0
    """Weight of activation regularisation (mean square of the last layer's output)."""
    tar: float = 0.0
    """Weight of temporal activation regularisation (mean square of its change)."""
    sampled_softmax: bool = False
    """The softmax of most steps is over the targets and a growing share of the other words."""
    ngrams: int = 5
    """Longest n-grams that are mixed with the finished network; 0: none."""
    context: str = "document"
    """`document` carries the state from window to window; `sentence` starts each sentence at zero."""
    backward: bool = False
    """Texts are read from their end: a network for a classifier to begin with, and for nothing else."""
    bptt: int = 35
    """Time steps per truncated-BPTT window."""
    random_bptt: bool = False
    """Windows of random length, bptt on average; the rate of a step is scaled by its length."""
    partial_shuffle: bool = False
    """Every epoch begins each column of the document at another place."""
    batch_size: int = 20
    """Columns of the document, or sentences, read side by side."""
    optimizer: str = "adamw"
    schedule: str = "one-cycle"
    learning_rate: float = 6e-3
    """The highest rate that the schedule reaches."""
    weight_decay: float = 0.0
    clip: float = 0.25
    """Largest norm of the whole gradient (mean nats per token); 0: not clipped."""
    average: str = "none"
    """An average of the weights that is judged and kept in their place."""
    epochs: float = 6
    """Passes over the training split; 2.5 ends in the middle of the third."""
    patience: int = 5
    """Stop after this many evaluations in a row without a better validation loss; 0: never."""
    evaluate_every: int = 0
    """Steps between evaluations; 0: at the end of every epoch."""
    on_nonfinite: str = "stop"
    """When loss or gradient is not a finite number: `stop`, or `skip` the step."""
    skip_limit: int = 10
    """Steps that may be skipped in a row."""
    precision: str = "float32"
    """Of a GPU's recurrent layers; `float16` also makes the other products TF32. A CPU takes float32."""
    cuda_graphs: bool = False
    """A GPU's kernels of a step are recorded once for every length of window, and replayed."""
    seed: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.epochs <= MAX_EPOCHS:
            raise ConfigError(f"epochs must be at most {MAX_EPOCHS:,} and over 0, got {self.epochs}")
        if self.epochs == int(self.epochs):
            object.__setattr__(self, "epochs", int(self.epochs))
        for name in ("bptt", "batch_size", "layers"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name.replace('_', ' ')} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.ngrams <= MAX_NGRAMS:
            raise ConfigError(f"ngrams must be from 0 to {MAX_NGRAMS}, got {self.ngrams}")
        for name in ("patience", "evaluate_every", "skip_limit", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name.replace('_', ' ')} must be at least 0, got {getattr(self, name)}")
        for name in ("learning_rate", "weight_decay", "clip", "ar", "tar"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name.replace('_', ' ')} must be a number of at least 0, got {value}")
        if len(self.dropout) not in (1, 3):
            raise ConfigError(
                f"dropout is one rate, or three (input, between layers, output), got {len(self.dropout)}"
            )
        for name, rate in (
            *(("dropout", rate) for rate in self.dropout),
            ("word dropout", self.word_dropout),
            ("weight drop", self.weight_drop),
        ):
            if not 0 <= rate < 1:
                raise ConfigError(f"{name} must be at least 0 and under 1, got {rate}")
        tables = {
            "context": CONTEXTS, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "average": AVERAGES,
            "on_nonfinite": ON_NONFINITE, "precision": PRECISIONS,
        }  # fmt: skip
        for name, known in tables.items():
            if getattr(self, name) not in known:
                raise ConfigError(f"unknown {name} {getattr(self, name)!r}; choose from {', '.join(known)}")
        if self.seed > MAX_SEED:
            raise ConfigError(f"seed must be at most {MAX_SEED}, got {self.seed}")
        if self.backward:
            object.__setattr__(self, "ngrams", 0)  # they would predict the other neighbour
        if self.context == "sentence" and (self.random_bptt or self.partial_shuffle):
            raise ConfigError("random bptt and partial shuffle are for --context document")
        if self.cuda_graphs and self.context == "sentence":
            raise ConfigError("cuda graphs are for --context document")
        if self.cuda_graphs and self.sampled_softmax:
            raise ConfigError("cuda graphs are for the exact softmax; leave out --sampled-softmax")
        if len(self.hidden_size) > 1 and self.layers not in (1, len(self.hidden_size)):
            raise ConfigError(f"{len(self.hidden_size)} hidden sizes for {self.layers} layers")
        self.architecture(vocabulary_size=8_000)

    def architecture(self, vocabulary_size: int) -> Architecture:
        sizes = self.hidden_size if len(self.hidden_size) > 1 else self.hidden_size * self.layers
        return Architecture(
            vocabulary_size=vocabulary_size,
            cell=self.cell,
            embedding_size=self.embedding_size,
            hidden_sizes=sizes,
            tied=self.tied,
            bias=self.bias,
        )

    @property
    def dropout_rates(self) -> tuple[float, float, float]:
        """Of the input, between layers, and of the output."""
        input, hidden, output = self.dropout if len(self.dropout) == 3 else self.dropout * 3
        return input, hidden, output

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "hidden_size": list(self.hidden_size), "dropout": list(self.dropout)}


def make_config(preset: str | None, file: Path | None, given: Mapping[str, Any]) -> TrainingConfig:
    """Defaults, overridden by the preset, then by the TOML file, then by what was given by hand.

    Raises ConfigError for unknown names and values of the wrong type, naming where they stand.
    """
    return TrainingConfig(**chosen_settings(preset, file, given))


def chosen_settings(preset: str | None, file: Path | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that preset, file and flags name, the later winning; nothing else is filled in."""
    settings: dict[str, Any] = {}
    if preset is not None:
        if preset not in PRESETS:
            raise ConfigError(f"unknown preset {preset!r}; choose from {', '.join(PRESETS)}")
        settings |= PRESETS[preset].settings
    if file is not None:
        settings |= config_from_mapping(_read_toml(file), str(file))
    return {**settings, **given}


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: not valid TOML ({error})") from None


def config_from_mapping(data: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Settings from TOML or JSON, checked by name and type; `learning-rate` may stand for `learning_rate`."""
    types = {field.name: field.type for field in fields(TrainingConfig)}
    settings: dict[str, Any] = {}
    for key, value in data.items():
        name = key.replace("-", "_")
        if name not in types:
            raise ConfigError(f"{where}: unknown setting {key!r}; known: {', '.join(types)}")
        kind = LISTS.get(name)
        if kind is None:
            settings[name] = _typed(value, types[name], where, key)
        elif not (values := value if isinstance(value, list) else [value]):
            raise ConfigError(f"{where}: {key} is an empty list")
        else:
            settings[name] = tuple(_typed(one, kind, where, key) for one in values)
    return settings


LISTS: dict[str, type] = {"hidden_size": int, "dropout": float}
"""Settings that may be one value, or a list of this kind."""


def _typed(value: Any, kind: Any, where: str, key: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where}: {key} has the wrong type: {value!r}")
    return value
