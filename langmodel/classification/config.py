"""Every setting of a classifier's training, with its default and its limits; imports no torch."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from langmodel.classification.architecture import MAX_NETWORKS, POOLING_NAMES, ClassifierArchitecture
from langmodel.configuration import check_settings, setting
from langmodel.errors import ConfigError
from langmodel.network.architecture import CELL_NAMES, DIRECTIONS
from langmodel.text.casing import CASES

JUDGES = ("accuracy", "loss")
DOCUMENT_WORDS = 100
"""Texts with more than this on average are documents, which have defaults of their own."""

SEMI = ("none", "self-training", "pretrain", "both")


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig:
    """The encoder and how it is trained. Same config, data, machine and threads: same bits."""

    cell: str = setting("lstm", "Recurrent cell.", choices=CELL_NAMES)
    embedding_size: int = setting(128, "Width of the word vectors.", least=1)
    embedding_bound: float = setting(
        0.1,
        "Word vectors begin at random between this and its negative; a language model's are kept.",
        above=0,
    )
    hidden_size: tuple[int, ...] = setting((128,), "Units per layer: one number, or one per layer.", least=1)
    layers: int = setting(1, "Recurrent layers of each direction.", least=1)
    bidirectional: bool = setting(True, "Read the text from both ends.")
    pooling: tuple[str, ...] = setting(
        POOLING_NAMES,
        "Summaries of the hidden states, side by side.",
        choices=POOLING_NAMES,
    )
    dense: bool = setting(False, "A dense layer of half the hidden size, with ReLU, before the output.")
    l2: float = setting(0.0, "Weight of the dense layer's mean squared weight in the loss.", least=0)
    dropout: tuple[float, ...] = setting(
        (0.5,), "On input, between layers, on what is pooled: one rate, or three.", least=0, under=1
    )
    word_dropout: float = setting(0.1, "Dropout of whole vocabulary words.", least=0, under=1)
    networks: int = setting(
        1, "Train so many networks and average their probabilities.", least=1, most=MAX_NETWORKS
    )
    vocabulary_size: int = setting(20_000, "Rows, including the three special tokens.", least=4)
    min_count: int = setting(1, "A rarer word counts as unknown.", least=1)
    max_words: int = setting(0, "Cut texts after this many words; 0: never.", least=0)
    case: str = setting("lower", "How capitals are treated.", choices=CASES)
    batch_size: int = setting(50, "Texts per step.", least=1)
    learning_rate: float = setting(3e-3, "AdamW's peak learning rate.", above=0)
    weight_decay: float = setting(0.0, "AdamW's weight decay.", least=0)
    layer_decay: float = setting(
        1.0, "With --from: a layer's learning rate relative to the layer above.", above=0, most=1
    )
    thaw: int = setting(
        0, "With --from: unfreeze one layer per epoch, from the top, for this many epochs.", least=0
    )
    lm_loss: float = setting(0.0, "With --from: weight of the language model's own loss.", least=0)
    clip: float = setting(1.0, "Largest norm of the gradient; 0: not clipped.", least=0)
    epochs: int = setting(
        8, "Epochs at most; each is a pass over the labelled texts, or several if few.", least=1, most=10_000
    )
    patience: int = setting(3, "Stop after this many epochs without improvement; 0: never.", least=0)
    judge: str = setting(
        "accuracy", "The validation measure that decides which epoch is best.", choices=JUDGES
    )
    refit: bool = setting(
        False,
        "In the end, train again for the best number of epochs on training and validation texts together.",
    )
    semi: str = setting("none", "How unlabelled text is used.", choices=SEMI)
    rounds: int = setting(10, "Maximum number of self-training rounds.", least=1)
    threshold: float = setting(
        0.1, "Self-training accepts labels of probability over 1 minus this.", above=0, most=0.5
    )
    round_epochs: int = setting(2, "Epochs of each round of self-training.", least=1)
    pretrain_epochs: float = setting(5.0, "Epochs of the language models, with --semi pretrain.", above=0)
    seed: int = setting(1, "Seed of weights, order, dropout and splits.", least=0, most=2**32 - 1)

    def __post_init__(self) -> None:
        check_settings(self)
        if len(self.dropout) not in (1, 3):
            raise ConfigError(
                f"dropout is one rate, or three (input, between layers, pooled), got {len(self.dropout)}"
            )
        if len(self.hidden_size) > 1 and self.layers not in (1, len(self.hidden_size)):
            raise ConfigError(f"{len(self.hidden_size)} hidden sizes for {self.layers} layers")
        if self.l2 and not self.dense:
            raise ConfigError("--l2 is for the dense layer: add --dense, or leave it out")
        if self.lm_loss and self.networks > 1:
            raise ConfigError("--lm-loss is for one network: leave it out, or --networks")
        if self.refit and self.semi in ("self-training", "both"):
            raise ConfigError("--refit learns from labels alone: leave it out, or --semi self-training")
        self.architecture(vocabulary_size=8_000, classes=2)

    def suited(
        self, mean_words: float, given: Collection[str], *, from_models: bool = False
    ) -> "ClassifierConfig":
        """For texts of so many words: documents get the settings of their preset that were not given.

        Of those, a network that begins with language models takes only SUITED_TO_MODELS.
        """
        if mean_words <= DOCUMENT_WORDS:
            return self
        preset = PRESETS[DOCUMENTS].settings
        names = {*(SUITED_TO_MODELS if from_models else preset)}.difference(given)
        return replace(self, **{name: preset[name] for name in names})

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        return self.hidden_size if len(self.hidden_size) > 1 else self.hidden_size * self.layers

    @property
    def dropout_rates(self) -> tuple[float, float, float]:
        """Of the input, between layers, and of what is pooled."""
        input, hidden, pooled = self.dropout if len(self.dropout) == 3 else self.dropout * 3
        return input, hidden, pooled

    def architecture(self, vocabulary_size: int, classes: int) -> ClassifierArchitecture:
        return ClassifierArchitecture(
            vocabulary_size=vocabulary_size,
            classes=classes,
            cell=self.cell,
            embedding_size=self.embedding_size,
            hidden_sizes=self.hidden_sizes,
            directions=DIRECTIONS if self.bidirectional else DIRECTIONS[:1],
            pooling=self.pooling,
            dense_size=max(1, self.hidden_sizes[-1] // 2) if self.dense else 0,
            networks=self.networks,
        )

    def to_dict(self) -> dict[str, Any]:
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


@dataclass(frozen=True)
class ClassifierPreset:
    about: str
    settings: Mapping[str, Any]


DOCUMENTS = "documents"

SUITED_TO_MODELS = ("pooling", "batch_size")
"""Of that preset, what a network that begins with language models takes: their vectors need a higher rate."""

PRESETS = {
    DOCUMENTS: ClassifierPreset(
        f"chosen for texts of more than {DOCUMENT_WORDS} words on average: few units, pooled by their mean",
        {
            "cell": "gru",
            "hidden_size": (32,),
            "embedding_bound": 0.02,
            "pooling": ("mean",),
            "batch_size": 16,
            "learning_rate": 1e-3,
            "epochs": 6,
        },
    ),
    "keras-sentiment": ClassifierPreset(
        "LSTM 512, embedding 128, texts cut after 40 words: the tutorial's classifier for few labels",
        {
            "cell": "lstm",
            "embedding_size": 128,
            "embedding_bound": 0.1,
            "hidden_size": (512,),
            "bidirectional": False,
            "pooling": ("last",),
            "dense": True,
            "l2": 0.01,
            "dropout": (0.3,),
            "word_dropout": 0.0,
            "vocabulary_size": 20_000,
            "max_words": 40,
            "learning_rate": 1e-3,
            "batch_size": 128,
            "epochs": 20,
        },
    ),
    "keras-imdb": ClassifierPreset(
        "LSTM 32, embedding 128, texts cut after 80 words: the tutorial's classifier of film reviews",
        {
            "cell": "lstm",
            "embedding_size": 128,
            "embedding_bound": 0.1,
            "hidden_size": (32,),
            "bidirectional": False,
            "pooling": ("last",),
            "dropout": (0.2,),
            "word_dropout": 0.0,
            "vocabulary_size": 10_000,
            "max_words": 80,
            "learning_rate": 1e-3,
            "batch_size": 32,
            "epochs": 15,
        },
    ),
}
"""Named settings that differ from the defaults."""
