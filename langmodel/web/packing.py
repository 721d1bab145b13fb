"""A network's weights, small enough for a page: int8 or float16, a scale for each row."""

# R = rows, C = columns

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from langmodel.network.recurrent_lm import RecurrentLM

LARGEST = 127
"""Of int8; -128 is left out, so that both signs reach as far."""

ALIGNMENT = 4
"""Bytes; where JavaScript may look at numbers."""


def _int8(weight_RC: Tensor) -> tuple[bytes, Tensor]:
    scale_R1 = weight_RC.abs().amax(1, keepdim=True).clamp(min=torch.finfo(torch.float32).tiny) / LARGEST
    rounded_RC = (weight_RC / scale_R1).round().clamp(-LARGEST, LARGEST)
    packed = scale_R1.numpy().astype("<f4").tobytes() + rounded_RC.to(torch.int8).numpy().tobytes()
    return packed, rounded_RC * scale_R1


def _float16(weight_RC: Tensor) -> tuple[bytes, Tensor]:
    most = torch.finfo(torch.float16).max
    rounded_RC = weight_RC.clamp(-most, most).half()
    return rounded_RC.numpy().astype("<f2").tobytes(), rounded_RC.float()


def _float32(weight_RC: Tensor) -> tuple[bytes, Tensor]:
    return weight_RC.numpy().astype("<f4").tobytes(), weight_RC


FORMATS: dict[str, Callable[[Tensor], tuple[bytes, Tensor]]] = {"int8": _int8, "float16": _float16}
"""A matrix -> its bytes, little-endian, and the matrix that they stand for. int8: the rows' scales (float32)
come first."""


def packed_weights(network: RecurrentLM, form: str) -> tuple[bytes, list[dict[str, Any]], RecurrentLM]:
    """All weights one after the other, what each is and where it begins, and the network that they make.

    Vectors stay float32.
    """
    blob = bytearray()
    described: list[dict[str, Any]] = []
    rounded: dict[str, Tensor] = {}
    for name, tensor in network.state_dict().items():
        kind = form if tensor.dim() == 2 else "float32"
        data, rounded[name] = FORMATS.get(kind, _float32)(tensor.detach().float().cpu().contiguous())
        described.append({"name": name, "kind": kind, "shape": list(tensor.shape), "at": len(blob)})
        blob += data
        blob += bytes(-len(blob) % ALIGNMENT)
    with torch.device("meta"):
        copy = RecurrentLM(network.architecture)
    copy.load_state_dict(rounded, assign=True)
    return bytes(blob), described, copy.eval()
