"""A model's n-grams and gate as tensors of its file, and back."""

from collections.abc import Mapping

import torch
from torch import Tensor

from langmodel.errors import ModelFileError
from langmodel.network.mixture import Gate, NgramPart
from langmodel.ngrams.packed import Level, PackedNgrams

MAX_ORDER = 9

UNIGRAMS, GATE_WEIGHT, GATE_BIAS = "unigrams", "gate.weight", "gate.bias"


def ngram_tensors(part: NgramPart) -> dict[str, Tensor]:
    """Words, codes and numbers of children take two bytes each where they fit."""
    tensors = {
        UNIGRAMS: part.ngrams.unigrams_V,
        GATE_WEIGHT: part.gate.weight_F,
        GATE_BIAS: part.gate.bias,
    }
    for n, level in enumerate(part.ngrams.levels, start=2):
        for name, tensor in zip(_names(n), (level.words_G, level.codes_G, level.children_P), strict=True):
            fits = int(tensor.max()) <= torch.iinfo(torch.uint16).max if len(tensor) else True
            tensors[name] = tensor.to(torch.uint16) if fits else tensor
    return tensors


def _names(n: int) -> tuple[str, str, str]:
    return f"{n}.words", f"{n}.codes", f"{n}.children"


def read_ngrams(
    tensors: Mapping[str, Tensor], order: int, vocabulary_size: int, output_size: int
) -> NgramPart:
    """Raises ModelFileError for tensors that are missing, stray, or do not fit one another or the network."""
    if type(order) is not int or not 1 <= order <= MAX_ORDER:
        raise ModelFileError(f"n-grams: order {order!r} is not from 1 to {MAX_ORDER}")
    expected = {UNIGRAMS, GATE_WEIGHT, GATE_BIAS}.union(*(_names(n) for n in range(2, order + 1)))
    for name in sorted(expected ^ tensors.keys()):
        raise ModelFileError(
            f"n-grams: tensor {name!r:.80} is {'missing' if name in expected else 'unexpected'}"
        )
    floats = {
        UNIGRAMS: (vocabulary_size,),
        GATE_WEIGHT: (output_size + 2 * (order - 1),),
        GATE_BIAS: (),
    }
    for name, tensor in tensors.items():
        if name in floats:
            fits = tensor.dtype == torch.float32 and tensor.shape == floats[name]
            fits = fits and bool(torch.isfinite(tensor).all())
        else:
            fits = tensor.dtype in (torch.uint16, torch.int32) and tensor.dim() == 1
        if not fits:
            raise ModelFileError(f"n-grams: tensor {name!r} is malformed")
    levels = [Level(*(tensors[name].int() for name in _names(n))) for n in range(2, order + 1)]
    return NgramPart(PackedNgrams(tensors[UNIGRAMS], levels), Gate(tensors[GATE_WEIGHT], tensors[GATE_BIAS]))
