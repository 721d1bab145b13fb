"""Matrix products on the fastest exact path of the machine.

On the CPU, PyTorch sends float32 products to MKL, which runs at half speed or less on other makers' AVX-512
processors; oneDNN, which PyTorch carries as well, does not. On Intel's, and without AVX-512, oneDNN is the
slower one. The choice is a rule and no measurement: the same processor gives the same bits.
`scripts/benchmark` shows both.
"""

# N = rows, I = inputs, O = outputs

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from langmodel.cores import is_intel

LARGE = 2**21
"""Multiplications; smaller products lose more in oneDNN's set-up than they gain."""


def _onednn_linear() -> Any:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    if is_intel() or not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_ONEDNN_LINEAR = _onednn_linear()

CPU_PRODUCTS = "MKL" if _ONEDNN_LINEAR is None else "oneDNN"
"""What makes large products on this processor."""


def _has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16, whose products it sums up in float32."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    names = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


HAS_BFLOAT16 = _has_bfloat16()


def takes_bfloat16(precision: str, device: torch.device) -> bool:
    """Whether training with this setting rounds the softmax's factors."""
    return precision == "auto" and device.type == "cpu" and HAS_BFLOAT16


def products_of(precision: str, device: torch.device) -> str:
    """What makes a CPU's large products in training, on which bits depend."""
    return f"{CPU_PRODUCTS}{', bfloat16' * takes_bfloat16(precision, device)}"


def product(
    left_NI: Tensor, right_OI: Tensor, bias_O: Tensor | None = None, *, bfloat16: bool = False
) -> Tensor:
    """left · rightᵀ (+ bias), shape (N, O); carries no gradient.

    With `bfloat16`, factors of large products are rounded to it (8 bits of mantissa) where the processor has
    instructions for that; sums and result are float32.
    """
    with torch.no_grad():
        if left_NI.device.type != "cpu":
            return torch.nn.functional.linear(left_NI, right_OI, bias_O)
        is_large = left_NI.numel() * right_OI.shape[0] >= LARGE and left_NI.dtype == torch.float32
        if is_large and bfloat16 and HAS_BFLOAT16:
            with _bfloat16_products():
                result = torch.nn.functional.linear(left_NI, right_OI)
        elif is_large and _ONEDNN_LINEAR is not None:
            made: Tensor = _ONEDNN_LINEAR(left_NI, right_OI, bias_O, "none", [], "")
            return made
        else:
            result = torch.nn.functional.linear(left_NI, right_OI)
        return result if bias_O is None else result.add_(bias_O)  # given to `linear`, it is copied first


@contextmanager
def _bfloat16_products() -> Iterator[None]:
    settings = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = settings.fp32_precision
    settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, input_NI: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
        ctx.save_for_backward(input_NI, weight_OI)
        return product(input_NI, weight_OI, bias_O)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_NO: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        input_NI, weight_OI = ctx.saved_tensors
        grad_NO = grad_NO.contiguous()
        needs_input, needs_weight, needs_bias = ctx.needs_input_grad
        return (
            product(grad_NO, weight_OI.t()) if needs_input else None,
            product(grad_NO.t(), input_NI.t()) if needs_weight else None,
            grad_NO.sum(0) if needs_bias else None,
        )


def linear(input: Tensor, weight_OI: Tensor, bias_O: Tensor | None) -> Tensor:
    """input · weightᵀ (+ bias) over the last dimension, with gradient."""
    flat_NI = input.reshape(-1, input.shape[-1])
    if input.device.type == "cpu":
        output: Tensor = _Linear.apply(flat_NI, weight_OI, bias_O)  # type: ignore[no-untyped-call]
    else:
        output = torch.nn.functional.linear(flat_NI, weight_OI, bias_O)
    return output.view(*input.shape[:-1], weight_OI.shape[0])
