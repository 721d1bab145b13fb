"""Recurrent layers in float16, for GPUs: cuDNN keeps a large LSTM's weights on the chip for no other type.

Weights, softmax, loss and the optimizer stay float32; their products may be TF32 (10 bits of mantissa,
as float16 has), inside a training step alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


@dataclass(frozen=True)
class HalfPrecision:
    """What a layer reads and what it gives, between float32 and float16.

    A loss that is a mean over thousands of tokens has gradients too small for float16, whose smallest
    number is 6e-8; those of the sum fit. `gradient_scale`, the number of tokens, makes one of the other
    inside the layer, and is taken out again. What overflows is infinite, and `on_nonfinite` says whether
    such a step is skipped.
    """

    gradient_scale: float

    def halved(self, tensor: Tensor) -> Tensor:
        halved: Tensor = _Cast.apply(tensor, torch.float16, 1 / self.gradient_scale)  # type: ignore[no-untyped-call]
        return halved

    def restored(self, tensor: Tensor) -> Tensor:
        restored: Tensor = _Cast.apply(tensor, torch.float32, self.gradient_scale)  # type: ignore[no-untyped-call]
        return restored


class _Cast(torch.autograd.Function):
    """To another type; the gradient, times `factor`, to the type that the tensor had."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, dtype: torch.dtype, factor: float) -> Tensor:
        ctx.dtype, ctx.factor = tensor.dtype, factor
        return tensor.to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return (grad.float() * ctx.factor).to(ctx.dtype), None, None


@contextmanager
def tf32_products() -> Iterator[None]:
    """Float32 products on a GPU's TF32 units, about seven times as fast as exact ones."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
