"""Matrix products on the fastest exact path of the machine.

On the CPU, PyTorch sends float32 products to MKL, which runs at half speed or less on other makers' AVX-512
processors; oneDNN, which PyTorch carries as well, does not. Without AVX-512, oneDNN is the slower one. The
choice is a rule and no measurement: the same processor gives the same bits. `scripts/benchmark` shows both.
"""

# N = rows, I = inputs, O = outputs

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

ONEDNN_MIN_OPERATIONS = 2**21
"""Smaller products lose more in oneDNN's set-up than they gain."""


def _onednn_linear() -> Any:
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return None
    if not torch.backends.cpu.get_cpu_capability().startswith("AVX512"):
        return None
    return getattr(torch.ops.mkldnn, "_linear_pointwise", None)


_ONEDNN_LINEAR = _onednn_linear()

CPU_PRODUCTS = "MKL" if _ONEDNN_LINEAR is None else "oneDNN"
"""What makes large products on this processor."""


def product(left_NI: Tensor, right_OI: Tensor, bias_O: Tensor | None = None) -> Tensor:
    """left · rightᵀ (+ bias), shape (N, O); carries no gradient."""
    operations = left_NI.numel() * right_OI.shape[0]
    if (
        _ONEDNN_LINEAR is not None
        and left_NI.dtype == torch.float32
        and left_NI.device.type == "cpu"
        and operations >= ONEDNN_MIN_OPERATIONS
    ):
        with torch.no_grad():
            result: Tensor = _ONEDNN_LINEAR(left_NI, right_OI, bias_O, "none", [], "")
        return result
    with torch.no_grad():
        return torch.nn.functional.linear(left_NI, right_OI, bias_O)


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
