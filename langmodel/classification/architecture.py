"""The shape of a classifier, as plain data; imports no torch."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from langmodel.errors import ConfigError
from langmodel.network.architecture import CELL_NAMES, DIRECTIONS, MAX_LAYERS, MAX_SIZE

POOLING_NAMES = ("last", "mean", "max")
"""What is taken of the hidden states of all words; POOLINGS computes them."""

MAX_CLASSES = 100_000

MAX_NETWORKS = 100


@dataclass(frozen=True, kw_only=True)
class ClassifierArchitecture:
    """Everything that decides the shapes of a classifier's tensors."""

    vocabulary_size: int
    """Rows of the vocabulary, special tokens included."""
    classes: int
    cell: str = "lstm"
    embedding_size: int = 128
    hidden_sizes: tuple[int, ...] = (128,)
    """Units of each layer of a direction, first to last."""
    directions: tuple[str, ...] = DIRECTIONS
    """Each reads the text with layers of its own, as a language model does."""
    pooling: tuple[str, ...] = POOLING_NAMES
    """What is taken of the last layer's hidden states, side by side."""
    own_embeddings: bool = False
    """Each direction has word vectors of its own, as two language models have; else they share them."""
    dense_size: int = 0
    """Units of a layer with ReLU before the output; 0: none."""
    networks: int = 1
    """Networks of this shape, whose probabilities are averaged."""

    def __post_init__(self) -> None:
        if self.cell not in CELL_NAMES:
            raise ConfigError(f"unknown cell {self.cell!r}; choose from {', '.join(CELL_NAMES)}")
        if not 4 <= self.vocabulary_size <= 2**24:
            raise ConfigError(f"vocabulary size must be between 4 and {2**24}, got {self.vocabulary_size}")
        if not 2 <= self.classes <= MAX_CLASSES:
            raise ConfigError(f"classes must be between 2 and {MAX_CLASSES:,}, got {self.classes}")
        if not 1 <= len(self.hidden_sizes) <= MAX_LAYERS:
            raise ConfigError(f"layers must be between 1 and {MAX_LAYERS}, got {len(self.hidden_sizes)}")
        if not 1 <= self.networks <= MAX_NETWORKS:
            raise ConfigError(f"networks must be between 1 and {MAX_NETWORKS}, got {self.networks}")
        for size in (self.embedding_size, *self.hidden_sizes, self.dense_size or 1):
            if not 1 <= size <= MAX_SIZE:
                raise ConfigError(f"layer sizes must be between 1 and {MAX_SIZE}, got {size}")
        for name, known in (("directions", DIRECTIONS), ("pooling", POOLING_NAMES)):
            chosen = getattr(self, name)
            if not chosen or len(set(chosen)) != len(chosen) or not set(chosen) <= set(known):
                raise ConfigError(f"{name} must be some of {', '.join(known)}, each once, got {chosen}")

    @property
    def pooled_size(self) -> int:
        """Width of what the encoder leaves of a text."""
        return len(self.directions) * len(self.pooling) * self.hidden_sizes[-1]

    def to_dict(self) -> dict[str, Any]:
        """`networks` is left out where there is one, as in files from before there could be more."""
        values = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        if self.networks == 1:
            del values["networks"]
        return values

    @classmethod
    def from_dict(cls, data: Any) -> "ClassifierArchitecture":
        """Raises ConfigError unless `data` is what `to_dict` gives."""
        lists = {"hidden_sizes": int, "directions": str, "pooling": str}
        types = {field.name: field.type for field in fields(cls)}
        data = {"networks": 1, **data} if isinstance(data, dict) else data
        if not isinstance(data, dict) or set(data) != set(types):
            raise ConfigError("architecture: fields are missing or unknown")
        for name, value in data.items():
            if name in lists:
                fits = isinstance(value, list) and all(type(part) is lists[name] for part in value)
            else:
                fits = type(value) is types[name]
            if not fits:
                raise ConfigError(f"architecture: {name} is {value!r:.80}")
        values: dict[str, Any] = {name: tuple(v) if name in lists else v for name, v in data.items()}
        return cls(**values)
