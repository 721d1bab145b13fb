"""Named starting points, each with the result a person can expect; imports no torch."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Settings that differ from the defaults. A flag or a config file given beside a preset overrides it."""

    about: str
    """The network, and its test perplexities: of PTB by the network alone, of a novel with its n-grams.

    docs/results.md has the commands.
    """
    settings: dict[str, Any]


PRESETS = {
    "tutorial": Preset(
        "RNN of 100 units, one-hot input, one sentence per step by SGD: the RNN tutorial's network, "
        "and as slow to learn: a novel 266 in a minute",
        {
            "cell": "rnn",
            "embedding_size": 0,
            "hidden_size": (100,),
            "tied": False,
            "bias": False,
            "dropout": (0.0,),
            "context": "sentence",
            "bptt": 4,
            "batch_size": 1,
            "optimizer": "sgd",
            "schedule": "halve",
            "learning_rate": 0.005,
            "clip": 0.0,
            "epochs": 1,
            "ngrams": 0,
        },
    ),
    "classic": Preset(
        "LSTM 2x200 by SGD, as in PyTorch's example, 4.7M parameters: PTB 116 in 7 minutes, "
        "a novel 58 in one",
        {
            "embedding_size": 200,
            "hidden_size": (200,),
            "layers": 2,
            "tied": False,
            "dropout": (0.2,),
            "optimizer": "sgd",
            "schedule": "halve",
            "learning_rate": 20.0,
            "clip": 0.25,
        },
    ),
    "small": Preset(
        "the default LSTM, 3.7M parameters, in three epochs: PTB 95 in 3 minutes, a novel 56 in half a "
        "minute",
        {
            "dropout": (0.15,),
            "sampled_softmax": True,
            "weight_decay": 0.05,
            "learning_rate": 8e-3,
            "epochs": 3,
        },
    ),
    "book": Preset(
        "LSTM 512 with much dropout, for 50,000 to 500,000 words of your own: a novel 50 in 5 to 10 minutes",
        {
            "hidden_size": (512,),
            "dropout": (0.6,),
            "word_dropout": 0.1,
            "epochs": 20,
        },
    ),
    "laptop": Preset(
        "LSTM 512, 4.3M parameters: PTB 80 in 15 minutes, a novel 54 in 3",
        {
            "hidden_size": (512,),
            "dropout": (0.4,),
            "sampled_softmax": True,
            "weight_decay": 0.05,
            "epochs": 16,
        },
    ),
    "medium": Preset(
        "LSTM 1024, embedding 512, 12.0M parameters: PTB 81 in 50 minutes, a novel 52 in 13",
        {
            "embedding_size": 512,
            "hidden_size": (1024,),
            "dropout": (0.5,),
            "word_dropout": 0.1,
            "learning_rate": 4e-3,
            "epochs": 12,
            "partial_shuffle": True,
        },
    ),
    "awd": Preset(
        "AWD-LSTM, 3 layers, NT-ASGD, 500 epochs (Merity et al. 2018): 24M parameters; for a GPU, "
        "not measured yet",
        {
            "embedding_size": 400,
            "hidden_size": (1150, 1150, 400),
            "dropout": (0.4, 0.25, 0.4),
            "word_dropout": 0.1,
            "weight_drop": 0.5,
            "weight_decay": 1.2e-6,
            "ar": 2.0,
            "tar": 1.0,
            "bptt": 70,
            "random_bptt": True,
            "optimizer": "sgd",
            "schedule": "constant",
            "learning_rate": 30.0,
            "average": "nt-asgd",
            "epochs": 500,
            "patience": 0,
        },
    ),
    "gpu": Preset(
        "LSTM 1024, 1024, 512 with AWD's regularisers, AdamW one-cycle, 90 epochs: 23M parameters; for a "
        "GPU, not measured yet",
        {
            "embedding_size": 512,
            "hidden_size": (1024, 1024, 512),
            "dropout": (0.4, 0.25, 0.4),
            "word_dropout": 0.1,
            "weight_drop": 0.5,
            "weight_decay": 1.2e-6,
            "ar": 3.0,
            "tar": 1.5,
            "bptt": 70,
            "random_bptt": True,
            "partial_shuffle": True,
            "batch_size": 40,
            "learning_rate": 4e-3,
            "clip": 0.12,
            "average": "tail",
            "epochs": 90,
            "patience": 0,
            "precision": "float16",
            "on_nonfinite": "skip",
        },
    ),
}
