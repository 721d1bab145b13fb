"""The shape of a network, as plain data; imports no torch."""

from dataclasses import asdict, dataclass, fields
from itertools import pairwise
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

MAX_BANDS = 8

BAND_FACTOR = 2
"""With 4 (Grave et al. 2017), training is a third faster, but perplexity 5 to 7 % worse (docs/scaling.md)."""

LEAST_HEAD = 4
"""UNK, START, END and one word are never in a band."""


@dataclass(frozen=True)
class Band:
    """Rows of rarer words, from `start` to before `stop`, whose vectors have `size` numbers."""

    start: int
    stop: int
    size: int


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
    cutoffs: tuple[int, ...] = ()
    """The first row of each band of an adaptive softmax; none: an exact softmax over all rows."""
    band_factor: int = BAND_FACTOR
    """How much narrower each band's vectors are than those before it."""

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
        if not 1 <= self.band_factor <= MAX_SIZE:
            raise ConfigError(f"band factor must be between 1 and {MAX_SIZE}, got {self.band_factor}")
        if self.cutoffs:
            self._check_cutoffs()

    def _check_cutoffs(self) -> None:
        if not self.tied:
            raise ConfigError("an adaptive softmax shares the embedding; leave out --untied")
        if len(self.cutoffs) > MAX_BANDS:
            raise ConfigError(f"an adaptive softmax has at most {MAX_BANDS} bands, got {len(self.cutoffs)}")
        edges = (LEAST_HEAD - 1, *self.cutoffs, self.vocabulary_size)
        if any(low >= high for low, high in pairwise(edges)):
            raise ConfigError(
                f"cut-offs must rise, from {LEAST_HEAD} at least to under {self.vocabulary_size:,} rows, got "
                + ", ".join(f"{cut:,}" for cut in self.cutoffs)
            )

    @property
    def head_rows(self) -> int:
        """Rows whose vectors have the whole embedding size."""
        return self.cutoffs[0] if self.cutoffs else self.vocabulary_size

    @property
    def bands(self) -> tuple[Band, ...]:
        """Of an adaptive softmax, from the more frequent words to the rarer."""
        edges = (*self.cutoffs, self.vocabulary_size)
        return tuple(
            Band(low, high, max(1, self.embedding_size // self.band_factor**number))
            for number, (low, high) in enumerate(pairwise(edges), start=1)
        )

    def needs_exact_softmax(self, what: str) -> None:
        """Raises ConfigError of `what` for an adaptive softmax."""
        if self.cutoffs:
            raise ConfigError(f"{what} needs a model with an exact softmax; this one's is adaptive")

    @property
    def output_size(self) -> int:
        """Width of the vectors that the output layer reads."""
        return self.embedding_size if self.tied else self.hidden_sizes[-1]

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "hidden_sizes": list(self.hidden_sizes),
            "cutoffs": list(self.cutoffs),
        }

    @classmethod
    def from_dict(cls, data: Any) -> "Architecture":
        """Raises ConfigError unless `data` is what `to_dict` gives, or gave before it had all of it."""
        types = {field.name: field.type for field in fields(cls)}
        if isinstance(data, dict):
            data = {"cutoffs": [], "band_factor": 4 if data.get("cutoffs") else BAND_FACTOR, **data}
        if not isinstance(data, dict) or set(data) != set(types):
            raise ConfigError("architecture: fields are missing or unknown")
        lists = {}
        for name, type_ in types.items():
            value = data[name]
            if type_ == tuple[int, ...]:
                if not isinstance(value, list) or any(type(size) is not int for size in value):
                    raise ConfigError(f"architecture: {name} is not a list of whole numbers")
                lists[name] = tuple(value)
            elif type(value) is not type_:
                raise ConfigError(f"architecture: {name} is {value!r}")
        return cls(**{**data, **lists})
