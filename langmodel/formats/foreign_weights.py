"""Weights of other programs' recurrent language models -> a model.

pytorch/examples' word_language_model and neural-complexity have the same tensors: `encoder.weight`,
`rnn.weight_ih_l0` and so on, `decoder.weight`, `decoder.bias`. Their texts are words with <eos> behind each
line, and <eos> is also what stands before the first word; so START gets its vector.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from langmodel.errors import InputError
from langmodel.network.architecture import Architecture
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.storage.model_file import SavedModel
from langmodel.text.pipeline import Pipeline
from langmodel.text.vocabulary import SPECIAL_TOKENS, UNK_ID, Vocabulary

END_NAMES, UNKNOWN_NAMES = ("<eos>", "</s>"), ("<unk>", "<UNK>", "UNK")

CELL_OF_GATES = {1: "rnn", 3: "gru", 4: "lstm"}

IMPOSSIBLE_BIAS = -1e4
"""Of UNK, where the other model had no unknown word: exp of it is nothing."""

CONVERT = (
    "load it where its code is installed and save its weights alone: "
    "torch.save(torch.load(FILE, weights_only=False).state_dict(), 'weights.pt')"
)

LAYER = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def read_state_dict(file: Path) -> dict[str, Tensor]:
    """The tensors of a state dictionary, by torch's loader that runs no code.

    Raises InputError for anything else: a whole module in a pickle, above all.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; give the state dictionary that torch.save wrote")
    try:
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # its kinds are many, and any means that the file is none of ours
        reason = str(error).strip().partition("\n")[0]
        if "weights_only" in str(error):
            raise InputError(f"{file}: holds more than weights ({reason:.80}); {CONVERT}") from None
        raise InputError(f"{file}: not a file of torch.save ({reason:.80})") from None
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()
    ):
        raise InputError(f"{file}: not a state dictionary (names with tensors); {CONVERT}")
    return {name: tensor.float() for name, tensor in found.items()}


def imported(
    weights: Mapping[str, Tensor], words: Sequence[str], where: str, *, lowercase: bool = False
) -> SavedModel:
    """The model that has these weights; `words` are its vocabulary by index. Raises InputError for others."""
    if not {"encoder.weight", "decoder.weight", "rnn.weight_hh_l0"} <= weights.keys():
        shown = ", ".join(sorted(weights)[:6])
        raise InputError(
            f"{where}: no weights of a recurrent language model (encoder, rnn, decoder): {shown}"
        )
    encoder, decoder = weights["encoder.weight"], weights["decoder.weight"]
    if len(words) != len(encoder):
        raise InputError(
            f"{where}: {len(encoder):,} vectors, but {len(words):,} words; give the model's own vocabulary"
        )
    if len(set(words)) != len(words):
        raise InputError(f"{where}: a word appears twice in the vocabulary")
    end = next((words.index(name) for name in END_NAMES if name in words), None)
    if end is None:
        raise InputError(f"{where}: the vocabulary has no {' or '.join(END_NAMES)}")
    unknown = next((name for name in UNKNOWN_NAMES if name in words), None)
    kept = [index for index, word in enumerate(words) if index != end and word != unknown]
    architecture = _architecture(weights, where, len(kept) + len(SPECIAL_TOKENS))
    network = RecurrentLM(architecture, torch.Generator().manual_seed(0))
    rows = torch.tensor([0 if unknown is None else words.index(unknown), end, end, *kept])
    tensors = {"embedding": encoder[rows]}  # UNK, START, END, and the words
    tensors["output_bias"] = weights.get("decoder.bias", torch.zeros(len(decoder)))[rows].clone()
    if unknown is None:
        tensors["output_bias"][UNK_ID] = IMPOSSIBLE_BIAS
    if not architecture.tied:
        tensors["output"] = decoder[rows]
    for layer in range(len(architecture.hidden_sizes)):
        for name in LAYER:
            theirs = weights.get(f"rnn.{name}_l{layer}")
            if theirs is None:
                theirs = torch.zeros(len(weights[f"rnn.weight_hh_l{layer}"]))
            tensors[f"layers.{layer}.{name}"] = theirs
    try:
        network.load_state_dict({name: tensor.clone() for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise InputError(f"{where}: tensors do not fit together ({error!s:.200})") from None
    return SavedModel(
        network=network.eval(),
        vocabulary=Vocabulary([words[index] for index in kept], [0] * len(kept)),
        pipeline=Pipeline(
            tokenizer="whitespace", sentences="line", case="lower" if lowercase else "keep", unk_token=unknown
        ),
        context="document",
        provenance={"imported_from": where},
    )


def _architecture(weights: Mapping[str, Tensor], where: str, rows: int) -> Architecture:
    layers = sum(name.startswith("rnn.weight_hh_l") for name in weights)
    sizes = []
    for layer in range(layers):
        matrix = weights.get(f"rnn.weight_hh_l{layer}")
        if matrix is None or matrix.dim() != 2 or not matrix.shape[1]:
            raise InputError(f"{where}: rnn.weight_hh_l{layer} is missing or not a matrix")
        sizes.append(matrix.shape[1])
    gates, rest = divmod(len(weights["rnn.weight_hh_l0"]), sizes[0])
    if gates not in CELL_OF_GATES or rest:
        raise InputError(f"{where}: rnn.weight_hh_l0 does not fit an RNN, GRU or LSTM")
    encoder, decoder = weights["encoder.weight"], weights["decoder.weight"]
    if encoder.dim() != 2 or decoder.dim() != 2 or len(encoder) != len(decoder):
        raise InputError(f"{where}: encoder and decoder have different vocabularies")
    return Architecture(
        vocabulary_size=rows,
        cell=CELL_OF_GATES[gates],
        embedding_size=encoder.shape[1],
        hidden_sizes=tuple(sizes),
        tied=encoder.shape == decoder.shape and torch.equal(encoder, decoder),
    )
