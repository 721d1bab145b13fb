"""The gradient of one window. On a GPU its kernels can be recorded once for each shape, and replayed."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from langmodel.network.cells import State, detach_state
from langmodel.network.dropout import Dropout, step_seed
from langmodel.network.windows import Window
from langmodel.training.sampled_softmax import sampled_words


@dataclass(frozen=True)
class Found:
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
    dropout: Dropout | None
    seed: int
    """Which units are dropped, and which words are sampled, is a function of it and the step."""
    vocabulary_size: int
    products: Callable[[], AbstractContextManager[None]] = nullcontext
    """What products are made under."""

    def of(self, window: Window, state: State, step: int, share: float | None = None) -> Found:
        """With a `share`, by a softmax over so many of the words that are no targets."""
        for parameter in self.parameters:
            parameter.grad = None
        self._begin(step)
        among = None
        if share is not None:
            among = sampled_words(window.targets_N, self.vocabulary_size, share, self.seed, step)
        return self._find(window, state, among)

    def _begin(self, step: int) -> None:
        if self.dropout is not None:
            self.dropout.generator.manual_seed(step_seed(self.seed, step))

    def _find(self, window: Window, state: State, among: tuple[Tensor, Tensor] | None = None) -> Found:
        with self.products():
            total, penalty, after = self.objective(window, state, self.dropout, among)
            loss = total * (1 / window.tokens)
            (loss if penalty is None else loss + penalty).backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        return Found(torch.stack([total.detach(), norm.double()]), detach_state(after))


Replay = Callable[[], None]

Recorder = Callable[[Callable[[], Found], torch.Generator | None], tuple[Replay, Found]]
"""Takes a function that reads and writes tensors in fixed places, and the generator that it draws from; gives
what does the same again, and where its results will be."""

WARM_UPS = 3


class CudaRecorder:
    """Records kernels as CUDA graphs, which share their memory: one is replayed at a time."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, find: Callable[[], Found], generator: torch.Generator | None) -> tuple[Replay, Found]:
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # what is set up at its first use must be so before recording
            for _ in range(WARM_UPS):
                find()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        if generator is not None:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, pool=self._pool):
            found = find()
        return graph.replay, found


RECORDERS: dict[str, Callable[[], Recorder]] = {"cuda": CudaRecorder}
"""By type of device."""


@dataclass(frozen=True)
class _Recorded:
    window: Window
    state: State
    replay: Replay
    found: Found


@dataclass(kw_only=True, eq=False)
class RecordedGradients(Gradients):
    """The same numbers, but the launches of a step's kernels are paid once for every length of window.

    Windows must have no padding, and equally many columns. The gradients keep their places in memory too.
    """

    recorder: Recorder
    _recorded: dict[int, _Recorded] = field(default_factory=dict)

    def of(self, window: Window, state: State, step: int, share: float | None = None) -> Found:
        if share is not None:
            raise ValueError("a sampled softmax is not recorded")
        length = len(window.inputs_TB)
        if length not in self._recorded:
            self._recorded[length] = self._record(window, state)
        recorded = self._recorded[length]
        recorded.window.inputs_TB.copy_(window.inputs_TB)
        recorded.window.targets_N.copy_(window.targets_N)
        for place, part in zip(_parts(recorded.state), _parts(state), strict=True):
            place.copy_(part)
        self._begin(step)
        recorded.replay()
        # The next replay writes its state where this one is.
        after = tuple(tuple(part.clone() for part in layer) for layer in recorded.found.state)
        return Found(recorded.found.nll_and_norm, after)

    def _record(self, window: Window, state: State) -> _Recorded:
        if window.positions_N is not None:
            raise ValueError("a window with padding is not recorded")
        own = Window(window.inputs_TB.clone(), window.targets_N.clone(), None, window.fresh)
        own_state = tuple(tuple(part.clone() for part in layer) for layer in state)
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        for parameter, grad in zip(self.parameters, grads, strict=True):
            parameter.grad = grad

        def find() -> Found:
            torch._foreach_zero_(grads)
            return self._find(own, own_state)

        generator = None if self.dropout is None else self.dropout.generator
        return _Recorded(own, own_state, *self.recorder(find, generator))


def _parts(state: State) -> list[Tensor]:
    return [part for layer in state for part in layer]


def make_gradients(device: torch.device, *, recorded: bool, **settings: Any) -> Gradients:
    """Recorded ones, if they are wanted and the device can record; `settings` are the fields of Gradients."""
    make_recorder = RECORDERS.get(device.type) if recorded else None
    return RecordedGradients(recorder=make_recorder(), **settings) if make_recorder else Gradients(**settings)
