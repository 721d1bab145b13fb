"""The shape of a network, as plain data; imports no torch."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from langmodel.errors import ConfigError

CELL_NAMES = ("rnn", "gru", "lstm", "mingru")

CONTEXTS = ("document", "sentence")
"""What the hidden state is carried over: a whole stream, or one sentence."""

DIRECTIONS = ("forward", "backward")
"""From which end a text is read."""

MAX_SIZE = 2**20
"""No embedding or layer is larger; a file that says so is refused before memory is taken."""

MAX_LAYERS = 64


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Everything that decides the shapes of a network's tensors."""

    vocabulary_size: int
    """Rows of the vocabulary, special tokens included."""
    cell: str = "lstm"
    embedding_size: int = 256
    """0: no embedding; a word selects its column of the first layer's input matrix, as in the tutorial."""
    hidden_sizes: tuple[int, ...] = (256,)
    """Units of each layer, first to last."""
    tied: bool = True
    """The output layer shares the embedding matrix (Inan et al. 2016; Press and Wolf 2016)."""
    bias: bool = True

    def __post_init__(self) -> None:
        if self.cell not in CELL_NAMES:
            raise ConfigError(f"unknown cell {self.cell!r}; choose from {', '.join(CELL_NAMES)}")
        if not 4 <= self.vocabulary_size <= 2**24:
            raise ConfigError(f"vocabulary size must be between 4 and {2**24}, got {self.vocabulary_size}")
        if not 0 <= self.embedding_size <= MAX_SIZE:
            raise ConfigError(f"embedding size must be between 0 and {MAX_SIZE}, got {self.embedding_size}")
        if not 1 <= len(self.hidden_sizes) <= MAX_LAYERS:
            raise ConfigError(f"layers must be between 1 and {MAX_LAYERS}, got {len(self.hidden_sizes)}")
        for size in self.hidden_sizes:
            if not 1 <= size <= MAX_SIZE:
                raise ConfigError(f"hidden size must be between 1 and {MAX_SIZE}, got {size}")
        if self.tied and not self.embedding_size:
            raise ConfigError("tied weights need an embedding; set --embedding-size, or --untied")

    @property
    def output_size(self) -> int:
        """Width of the vectors that the output layer reads."""
        return self.embedding_size if self.tied else self.hidden_sizes[-1]

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "hidden_sizes": list(self.hidden_sizes)}

    @classmethod
    def from_dict(cls, data: Any) -> "Architecture":
        """Raises ConfigError unless `data` is what `to_dict` gives."""
        types = {field.name: field.type for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != set(types):
            raise ConfigError("architecture: fields are missing or unknown")
        sizes = data["hidden_sizes"]
        if not isinstance(sizes, list) or any(type(size) is not int for size in sizes):
            raise ConfigError("architecture: hidden_sizes is not a list of whole numbers")
        for name, type_ in types.items():
            if name != "hidden_sizes" and type(data[name]) is not type_:
                raise ConfigError(f"architecture: {name} is {data[name]!r}")
        return cls(**{**data, "hidden_sizes": tuple(sizes)})
