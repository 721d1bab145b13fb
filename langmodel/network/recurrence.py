"""The recurrences of RNN and GRU as time loops with hand-written gradients.

Each takes the input's share of every gate, computed for all steps in one product, so that only the
product with the previous hidden state is left inside the loop. Gate order and the GRU's form (reset
after the product) are cuDNN's and PyTorch's. tanh(x) is computed as 2 sigmoid(2x) - 1: the same
function, several times faster where the vendor's vector library is slow; factors of two are exact.

Equations: Elman 1990 (RNN); Cho et al. 2014 (GRU).
"""

# T = time, B = batch, H = hidden, G = gates × H

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from langmodel.network.products import product


def _weight_gradient(grad_TBG: Tensor, previous_TBH: Tensor) -> Tensor:
    """The gradient of W, summed over all steps, where a gate's share is h · Wᵀ; shape (G, H)."""
    return product(grad_TBG.flatten(0, 1).t(), previous_TBH.flatten(0, 1).t())


class RNNRecurrence(torch.autograd.Function):
    """h_t = tanh(x_t + h_{t-1} Wᵀ); returns h for every step, shape (T, B, H)."""

    @staticmethod
    def forward(ctx: Any, input_TBH: Tensor, weight_HH: Tensor, initial_BH: Tensor) -> Tensor:
        T, B, H = input_TBH.shape
        hidden = input_TBH.new_empty(T + 1, B, H)
        hidden[0] = initial_BH
        weight_t, minus_one = weight_HH.t(), input_TBH.new_tensor(-1.0)
        before, *steps = hidden.unbind(0)
        for x, after in zip((2 * input_TBH).unbind(0), steps, strict=True):
            torch.addmm(x, before, weight_t, alpha=2, out=after)
            torch.add(minus_one, after.sigmoid_(), alpha=2, out=after)
            before = after
        ctx.save_for_backward(hidden, weight_HH)
        return hidden[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_TBH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden, weight_HH = ctx.saved_tensors
        T = grad_TBH.shape[0]
        slope_TBH = 1 - hidden[1:].square()
        grad_input = torch.empty_like(slope_TBH)
        slopes, grads, outs = slope_TBH.unbind(0), grad_TBH.unbind(0), grad_input.unbind(0)
        grad_BH = torch.zeros_like(outs[0])
        for t in reversed(range(T)):
            torch.mul(grad_BH.add_(grads[t]), slopes[t], out=outs[t])
            torch.mm(outs[t], weight_HH, out=grad_BH)
        return grad_input, _weight_gradient(grad_input, hidden[:-1]), grad_BH


class GRURecurrence(torch.autograd.Function):
    """r, z = σ(x_r + h U_rᵀ), σ(x_z + h U_zᵀ); n = tanh(x_n + r ⊙ (h U_nᵀ + b)); h' = (1 - z) ⊙ n + z ⊙ h.

    `weight_GH` stacks U_r, U_z, U_n; `bias_H` is b. Returns h for every step, shape (T, B, H).
    """

    @staticmethod
    def forward(ctx: Any, input_TBG: Tensor, weight_GH: Tensor, bias_H: Tensor, initial_BH: Tensor) -> Tensor:
        T, B, G = input_TBG.shape
        H = G // 3
        hidden = input_TBG.new_empty(T + 1, B, H)
        hidden[0] = initial_BH
        gates_TBG = torch.empty_like(input_TBG)  # r, z, n as they come out
        products_TBG = torch.empty_like(input_TBG)  # h U_rᵀ, h U_zᵀ, h U_nᵀ + b
        weight_t, minus_one = weight_GH.t(), input_TBG.new_tensor(-1.0)
        bias_G = torch.cat([bias_H.new_zeros(2 * H), bias_H])
        # Everything that a step reads or writes, cut before the loop: slicing costs as much as small sums.
        x_rz, x_n = input_TBG[..., : 2 * H].unbind(0), (2 * input_TBG[..., 2 * H :]).unbind(0)
        rz, n = gates_TBG[..., : 2 * H].unbind(0), gates_TBG[..., 2 * H :].unbind(0)
        r, z = gates_TBG[..., :H].unbind(0), gates_TBG[..., H : 2 * H].unbind(0)
        product, steps = products_TBG.unbind(0), hidden.unbind(0)
        product_rz, product_n = products_TBG[..., : 2 * H].unbind(0), products_TBG[..., 2 * H :].unbind(0)
        for t in range(T):
            torch.addmm(bias_G, steps[t], weight_t, out=product[t])
            torch.add(x_rz[t], product_rz[t], out=rz[t]).sigmoid_()
            torch.addcmul(x_n[t], r[t], product_n[t], value=2, out=n[t]).sigmoid_()
            torch.add(minus_one, n[t], alpha=2, out=n[t])
            torch.lerp(n[t], steps[t], z[t], out=steps[t + 1])
        ctx.save_for_backward(hidden, gates_TBG, products_TBG, weight_GH)
        return hidden[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_TBH: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        hidden, gates_TBG, products_TBG, weight_GH = ctx.saved_tensors
        T, _, H = grad_TBH.shape
        r, z, n = gates_TBG.unflatten(-1, (3, H)).unbind(2)
        n_slope = (1 - z) * (1 - n.square())
        # d h' / d of the products' three parts and of the input's n, all steps at once
        slopes_TB4H = torch.stack(
            [
                n_slope * products_TBG[..., 2 * H :] * r * (1 - r),
                (hidden[:-1] - n) * z * (1 - z),
                n_slope * r,
                n_slope,
            ],
            dim=2,
        )
        grad_parts = torch.empty_like(slopes_TB4H)
        grad_products = grad_parts.flatten(2)[..., : 3 * H]
        slopes, parts, products = slopes_TB4H.unbind(0), grad_parts.unbind(0), grad_products.unbind(0)
        grads, keeps = grad_TBH.unbind(0), z.unbind(0)
        grad_BH = torch.zeros_like(grads[0])
        grad_B1H = grad_BH.unsqueeze(1)
        for t in reversed(range(T)):
            grad_BH.add_(grads[t])
            torch.mul(grad_B1H, slopes[t], out=parts[t])
            grad_BH.mul_(keeps[t]).addmm_(products[t], weight_GH)
        grad_input = grad_parts[:, :, [0, 1, 3]].flatten(2)
        grad_bias = grad_parts[:, :, 2].sum((0, 1))
        return grad_input, _weight_gradient(grad_products, hidden[:-1]), grad_bias, grad_BH
