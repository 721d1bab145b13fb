"""Every setting of a training run, with its default, its help and its limits; imports no torch."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from langmodel.configuration import check_settings, setting, typed_settings
from langmodel.errors import ConfigError
from langmodel.network.architecture import BAND_FACTOR, CELL_NAMES, CONTEXTS, Architecture
from langmodel.training.averages import AVERAGES
from langmodel.training.cutoffs import choose_cutoffs
from langmodel.training.optimizers import OPTIMIZERS
from langmodel.training.presets import PRESETS
from langmodel.training.schedules import SCHEDULES

ON_NONFINITE = ("stop", "skip")
PRECISIONS = ("auto", "float32", "float16")
MAX_SEED = 2**32 - 1
MAX_EPOCHS = 100_000
MAX_NGRAMS = 9
SOFTMAXES = ("exact", "adaptive")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """The network and how it is trained. Same config, corpus, machine and threads: same bits."""

    cell: str = setting("lstm", "Recurrent cell.", choices=CELL_NAMES)
    embedding_size: int = setting(256, "Word vectors; 0: one-hot input, as in the tutorial.", least=0)
    hidden_size: tuple[int, ...] = setting(
        (384,), "Units per layer: one number, or one per layer, as in 512,1024.", least=1
    )
    layers: int = setting(1, "Recurrent layers.", least=1)
    tied: bool = setting(True, "Output layer shares the embedding.", off="untied")
    bias: bool = setting(True, "Bias vectors.")
    dropout: tuple[float, ...] = setting(
        (0.3,), "On input, between layers, on output: one rate, or three (0.4,0.25,0.4).", least=0, under=1
    )
    word_dropout: float = setting(0.0, "Dropout of whole vocabulary words.", least=0, under=1)
    weight_drop: float = setting(0.0, "Dropout of the recurrent matrices' entries.", least=0, under=1)
    ar: float = setting(
        0.0, "Activation regularisation: weight of the output's mean square.", least=0, finite=True
    )
    tar: float = setting(
        0.0, "Temporal activation regularisation: the same, of its change per step.", least=0, finite=True
    )
    sampled_softmax: bool = setting(
        False,
        "In most steps, take the softmax over the targets and a growing share of the other words.",
        off="exact-softmax",
    )
    softmax: str = setting(
        "exact",
        "exact: over all words alike. adaptive: rarer words in bands of narrower vectors, for vocabularies "
        "of tens of thousands of words and more.",
        choices=SOFTMAXES,
    )
    cutoffs: tuple[int, ...] = setting(
        (), "Rows where an adaptive softmax's bands start, as in 4000,20000; none: chosen by cost.", least=4
    )
    band_factor: int = setting(
        BAND_FACTOR, "How much narrower each band's vectors are than those before it.", least=1
    )
    ngrams: int = setting(
        5,
        "Longest n-grams to mix with the finished network, or an ARPA file of them; 0: none.",
        least=0,
        most=MAX_NGRAMS,
    )
    context: str = setting(
        "document", "document: the state carries over. sentence: each starts at zero.", choices=CONTEXTS
    )
    backward: bool = setting(
        False,
        "Read texts from the end: a second network, only for train-classifier --from.",
        off="forward",
    )
    bptt: int = setting(35, "Time steps per truncated-BPTT window.", least=1)
    random_bptt: bool = setting(False, "Windows of random length, bptt on average.", off="fixed-bptt")
    partial_shuffle: bool = setting(False, "Start each column at a new place in every epoch.", off="in-order")
    batch_size: int = setting(20, "Columns, or sentences, side by side.", least=1)
    optimizer: str = setting("adamw", "How weights are updated.", choices=tuple(OPTIMIZERS))
    schedule: str = setting(
        "one-cycle",
        "Of the learning rate. halve: the tutorial's rule, if the evaluated loss rises. plateau: divide by 4 "
        "whenever it is not the lowest so far.",
        choices=tuple(SCHEDULES),
    )
    learning_rate: float = setting(6e-3, "The schedule's peak.", least=0, finite=True)
    weight_decay: float = setting(0.0, "Pull of weights towards zero.", least=0, finite=True)
    clip: float = setting(0.25, "Largest norm of the gradient; 0: off.", least=0, finite=True)
    average: str = setting(
        "none",
        "Evaluate and save averaged weights. ema: exponential. tail: over the last 30% of the steps. "
        "nt-asgd: since the loss stopped falling.",
        choices=tuple(AVERAGES),
    )
    epochs: float = setting(6, "Passes over the training split.", above=0, most=MAX_EPOCHS)
    patience: int = setting(5, "Stop after this many evaluations without improvement; 0: never.", least=0)
    evaluate_every: int = setting(0, "Steps between evaluations; 0: once an epoch.", least=0)
    on_nonfinite: str = setting(
        "stop", "When the loss is not finite: stop, or skip the step.", choices=ON_NONFINITE
    )
    skip_limit: int = setting(10, "Steps that may be skipped in a row.", least=0)
    precision: str = setting(
        "auto",
        "auto: float32, but bfloat16 for large products on CPUs that have it. float32: throughout. "
        "float16: in a GPU's recurrent layers, where it has the fastest kernels.",
        choices=PRECISIONS,
    )
    seed: int = setting(1, "Seed of weights, dropout and order.", least=0, most=MAX_SEED)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.epochs == int(self.epochs):
            object.__setattr__(self, "epochs", int(self.epochs))
        if len(self.dropout) not in (1, 3):
            raise ConfigError(
                f"dropout is one rate, or three (input, between layers, output), got {len(self.dropout)}"
            )
        if self.backward:
            object.__setattr__(self, "ngrams", 0)  # they would predict the other neighbour
        if self.softmax == "adaptive" and self.sampled_softmax:
            raise ConfigError("an adaptive softmax cannot also be sampled; leave out --sampled-softmax")
        if self.softmax == "exact" and (self.cutoffs or self.band_factor != BAND_FACTOR):
            raise ConfigError("cut-offs and band factor are for --softmax adaptive")
        if self.context == "sentence" and (self.random_bptt or self.partial_shuffle):
            raise ConfigError("random bptt and partial shuffle are for --context document")
        if len(self.hidden_size) > 1 and self.layers not in (1, len(self.hidden_size)):
            raise ConfigError(f"{len(self.hidden_size)} hidden sizes for {self.layers} layers")
        self._architecture(2**24 if self.cutoffs else 8_000, self.cutoffs)

    def architecture(self, vocabulary_size: int, counts: Sequence[int] = ()) -> Architecture:
        """The shapes of the network for a vocabulary; its words' counts decide where it is cut into bands.

        Raises ConfigError for cut-offs that it does not reach.
        """
        cutoffs = self.cutoffs
        if self.softmax == "adaptive" and not cutoffs:
            cutoffs = choose_cutoffs(counts, vocabulary_size, self.embedding_size, self.band_factor)
            if not cutoffs:
                raise ConfigError(
                    f"{vocabulary_size:,} rows are too few for an adaptive softmax; leave out --softmax"
                )
        return self._architecture(vocabulary_size, cutoffs)

    def _architecture(self, vocabulary_size: int, cutoffs: tuple[int, ...]) -> Architecture:
        sizes = self.hidden_size if len(self.hidden_size) > 1 else self.hidden_size * self.layers
        return Architecture(
            vocabulary_size=vocabulary_size,
            cell=self.cell,
            embedding_size=self.embedding_size,
            hidden_sizes=sizes,
            tied=self.tied,
            bias=self.bias,
            cutoffs=cutoffs,
            band_factor=self.band_factor,
        )

    @property
    def dropout_rates(self) -> tuple[float, float, float]:
        """Of the input, between layers, and of the output."""
        input, hidden, output = self.dropout if len(self.dropout) == 3 else self.dropout * 3
        return input, hidden, output

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "hidden_size": list(self.hidden_size),
            "dropout": list(self.dropout),
            "cutoffs": list(self.cutoffs),
        }


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
    """Settings from TOML or JSON, checked by name and type."""
    return typed_settings(TrainingConfig, data, where)
