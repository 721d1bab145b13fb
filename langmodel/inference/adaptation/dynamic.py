"""Dynamic evaluation: weights that follow the text."""

# N = tokens

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from langmodel.inference.adaptation.fitting import Floats, joined
from langmodel.network.cells import detach_state
from langmodel.network.mixture import NgramPart, predictor_of
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import DocumentWindows, IdArray

DYNAMIC_STEPS = 10
"""Words between two updates in dynamic evaluation."""

DYNAMIC_RATES = (3e-5, 1e-4, 2e-4)
DYNAMIC_DECAYS = (1e-3, 3e-3)
TUNED_TOKENS = 8_000
"""Dynamic evaluation is tuned on this much of the validation split: it takes a gradient every few words."""

STATISTICS_WINDOWS = 100
STATISTICS_COLUMNS = 20


@dataclass(frozen=True)
class Dynamic:
    """The weights follow the text by gradient descent and are pulled back to what was trained.

    Krause et al. 2018: each weight's step is divided by the root mean square of its gradient in training,
    to which the mean over all weights is added, so that the rarest words do not leap.
    """

    network: RecurrentLM
    part: NgramPart | None
    rms: list[Tensor]
    rate: float
    decay: float

    @property
    def settings(self) -> dict[str, float]:
        return {"rate": self.rate, "decay": self.decay, "steps": DYNAMIC_STEPS}

    def log_probs(self, ids: IdArray) -> Floats:
        network = copy.deepcopy(self.network).train()
        parameters = list(network.parameters())
        trained = [parameter.detach().clone() for parameter in parameters]
        mean = float(torch.cat([rms.flatten() for rms in self.rms]).mean())
        pull = [(self.decay * rms / mean).clamp_(max=1.0) for rms in self.rms]
        slow = [-self.rate / (rms + mean) for rms in self.rms]

        def follow(gradients: list[Tensor]) -> None:
            for parameter, gradient, step, home, share in zip(
                parameters, gradients, slow, trained, pull, strict=True
            ):
                parameter.addcmul_(gradient, step).addcmul_(home - parameter, share)

        windows = DocumentWindows(ids, batch_size=1, bptt=DYNAMIC_STEPS)
        return joined(_learning(network, self.part, windows, follow))


def fit_dynamic(
    network: RecurrentLM, part: NgramPart | None, train_ids: IdArray, valid_ids: IdArray
) -> Dynamic:
    """The best of a small grid, on the beginning of the validation split."""
    squares = [torch.zeros_like(parameter) for parameter in network.parameters()]
    count = 0

    def add(gradients: list[Tensor]) -> None:
        nonlocal count
        for square, gradient in zip(squares, gradients, strict=True):
            square.addcmul_(gradient, gradient)
        count += 1

    columns = min(STATISTICS_COLUMNS, len(train_ids))
    windows = DocumentWindows(train_ids, batch_size=columns, bptt=DYNAMIC_STEPS)
    for _ in _learning(copy.deepcopy(network).train(), None, windows, add, STATISTICS_WINDOWS):
        pass
    rms = [(square / count).sqrt_() for square in squares]
    tuned = valid_ids[:TUNED_TOKENS]
    tried = []
    for rate in DYNAMIC_RATES:
        for decay in DYNAMIC_DECAYS:
            loss = float(-Dynamic(network, part, rms, rate, decay).log_probs(tuned).mean())
            tried.append((loss if math.isfinite(loss) else math.inf, rate, decay))
    _, rate, decay = min(tried)
    return Dynamic(network, part, rms, rate, decay)


def _learning(
    network: RecurrentLM,
    part: NgramPart | None,
    windows: DocumentWindows,
    use: Callable[[list[Tensor]], None],
    at_most: int | None = None,
) -> Iterator[Tensor]:
    """The log-probabilities of each window, whose mean gradient is then handed to `use`."""
    parameters = list(network.parameters())
    predictor = predictor_of(network, part)
    state = predictor.zero_state(1)
    for number, window in enumerate(windows.epoch(0)):
        if number == at_most:
            return
        window = window.to(network.device)
        if window.fresh:
            state = predictor.zero_state(window.inputs_TB.shape[1])
        read_TBR, state = predictor(window.inputs_TB, detach_state(state))
        read_NR, layer = window.real(read_TBR), predictor.output_layer
        with torch.no_grad():
            yield -layer.token_nll(read_NR, window.targets_N)
        loss = network.output_layer.nll_sum(layer.hidden(read_NR), window.targets_N)
        gradients = torch.autograd.grad(loss / window.tokens, parameters)
        with torch.no_grad():
            use(list(gradients))
