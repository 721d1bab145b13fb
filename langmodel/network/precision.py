"""Recurrent layers of half precision, inside a training step alone; weights and optimizer stay float32.

float16 is for GPUs: cuDNN keeps a large LSTM's weights on the chip for no other type. Softmax and loss stay
float32; their products may be TF32, whose mantissa has 10 bits as that of float16. bfloat16, with 7 bits and
the range of float32, is for CPUs that multiply it.
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
    """What a layer reads and what it gives, between float32 and a type of half its size.

    A loss that is a mean over thousands of tokens has gradients too small for float16, whose smallest
    number is 6e-8; those of the sum fit. `gradient_scale`, the number of tokens, makes one of the other
    inside the layer, and is taken out again. What overflows is infinite, and `on_nonfinite` says whether
    such a step is skipped.
    """

    gradient_scale: float
    dtype: torch.dtype = torch.float16
    least: int = 0
    """Entries of a recurrent matrix below which a layer stays float32."""

    def halved(self, tensor: Tensor) -> Tensor:
        halved: Tensor = _Cast.apply(tensor, self.dtype, 1 / self.gradient_scale)  # type: ignore[no-untyped-call]
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


IN_BFLOAT16 = HalfPrecision(gradient_scale=1.0, dtype=torch.bfloat16, least=2**16)
"""Its range needs no scale. In smaller layers, converting costs more than it gains."""


@contextmanager
def tf32_products() -> Iterator[None]:
    """Float32 products on a GPU's TF32 units, about seven times as fast as exact ones."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
