"""The gradient of one window."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from langmodel.network.cells import State, detach_state
from langmodel.network.dropout import Dropout, step_seed
from langmodel.network.windows import Window
from langmodel.training.sampled_softmax import sampled_words


@dataclass(frozen=True)
class WindowGradient:
    """What one pass forward and back over a window gives, beside the parameters' `grad`."""

    nll_and_norm: Tensor
    """Σ -log p of the window's targets in nats, and the norm of the whole gradient; float64."""
    state: State
    """After the last step, cut from what made it."""

    @property
    def norm(self) -> Tensor:
        """To clip with, in the gradient's own precision."""
        return self.nll_and_norm[1].float()


@dataclass(kw_only=True, eq=False)
class Gradients:
    """Of the mean nats per token of a window, and of the objective's penalties."""

    objective: nn.Module
    parameters: Sequence[nn.Parameter]
    dropout: Dropout
    seed: int
    """Which units are dropped, and which words are sampled, is a function of it and the step."""
    vocabulary_size: int
    products: Callable[[], AbstractContextManager[None]] = nullcontext
    """What products are made under."""

    def of(self, window: Window, state: State, step: int, share: float | None = None) -> WindowGradient:
        """With a `share`, by a softmax over so many of the words that are no targets."""
        for parameter in self.parameters:
            parameter.grad = None
        self.dropout.begin(step_seed(self.seed, step))
        among = None
        if share is not None:
            among = sampled_words(window.targets_N, self.vocabulary_size, share, self.seed, step)
        with self.products():
            total, penalty, after = self.objective(window, state, self.dropout, among)
            loss = total * (1 / window.tokens)
            (loss if penalty is None else loss + penalty).backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        return WindowGradient(torch.stack([total.detach(), norm.double()]), detach_state(after))
