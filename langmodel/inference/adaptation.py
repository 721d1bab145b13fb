"""Better predictions of a text by what is learnt at test time: temperature, neural cache, dynamic evaluation.

Each reads a split as one document, word after word, and looks at a word only after it has predicted it.
What has to be set is found on the validation split. Perplexities so reached stand beside plain ones, never
in their place.
"""

# N = tokens, O = output width, V = vocabulary, Q = queries, K = keys

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from langmodel.network.cells import detach_state
from langmodel.network.evaluation import read_document
from langmodel.network.mixture import MixedReadout, NgramPart, predictor_of
from langmodel.network.predictor import Predictor
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import DocumentWindows, IdArray
from langmodel.ngrams.comparison import best_mixture

Floats = npt.NDArray[np.float64]

NEWTON_STEPS = 8
NEWTON_TOLERANCE = 1e-4

CACHE_WORDS = 2_000
"""How far back the cache looks."""

CACHE_SHARPNESS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Values of Grave's theta that are tried."""

CACHE_BLOCK = 256

DYNAMIC_STEPS = 10
"""Words between two updates in dynamic evaluation."""

DYNAMIC_RATES = (3e-5, 1e-4, 2e-4)
DYNAMIC_DECAYS = (1e-3, 3e-3)
TUNED_TOKENS = 8_000
"""Dynamic evaluation is tuned on this much of the validation split: it takes a gradient every few words."""

STATISTICS_WINDOWS = 100
STATISTICS_COLUMNS = 20


class Adaptation(Protocol):
    """Settings that were found, and predictions with them."""

    @property
    def settings(self) -> dict[str, float]: ...

    def log_probs(self, ids: IdArray) -> Floats:
        """Natural-log probability of every token of a stream, in its order."""
        ...


# Temperature.


@dataclass(frozen=True)
class Temperature:
    """The softmax of logits / temperature, the same for every word (Guo et al. 2017).

    It is the network's; the n-grams are mixed with it as they are.
    """

    network: RecurrentLM
    part: NgramPart | None
    temperature: float

    @property
    def settings(self) -> dict[str, float]:
        return {"temperature": self.temperature}

    @torch.inference_mode()
    def log_probs(self, ids: IdArray) -> Floats:
        readout = self.network.output_layer.tempered(self.temperature)
        if self.part is not None:
            readout = MixedReadout(readout, self.part)
        return _joined(
            -readout.token_nll(read_NR, targets_N)
            for read_NR, targets_N in read_document(predictor_of(self.network, self.part), ids)
        )


@torch.inference_mode()
def fit_temperature(
    network: RecurrentLM, part: NgramPart | None, train_ids: IdArray, valid_ids: IdArray
) -> Temperature:
    """Newton's method on 1 / temperature, in which the loss is convex."""
    beta = 1.0
    for _ in range(NEWTON_STEPS):
        moments = torch.zeros(3, dtype=torch.float64, device=network.device)
        for hidden_NO, targets_N in read_document(network, valid_ids):
            moments += network.output_layer.temperature_moments(hidden_NO, targets_N, beta)
        _, slope, curvature = moments.tolist()
        step = slope / max(curvature, 1e-12)
        beta = min(max(beta - step, beta / 2), 2 * beta)
        if abs(step) < NEWTON_TOLERANCE:
            break
    return Temperature(network, part, 1 / beta)


# Neural cache.


@dataclass(frozen=True)
class Cache:
    """Words that followed states like the present one are likelier again (Grave et al. 2017).

    p = (1 - share) p_model + share p_cache, where p_cache(w) is proportional to the sum of
    exp(theta h_t · h_i) over the last words i that were w.
    """

    predictor: Predictor
    theta: float
    share: float

    @property
    def settings(self) -> dict[str, float]:
        return {"theta": self.theta, "share": self.share, "words": CACHE_WORDS}

    def log_probs(self, ids: IdArray) -> Floats:
        plain, cached = _with_cache(self.predictor, ids, (self.theta,))
        with np.errstate(divide="ignore"):
            mixed: Floats = np.logaddexp(plain + np.log1p(-self.share), cached[0] + np.log(self.share))
        return mixed


def fit_cache(network: RecurrentLM, part: NgramPart | None, train_ids: IdArray, valid_ids: IdArray) -> Cache:
    """The best theta of a grid, each with the share that suits it best."""
    predictor = predictor_of(network, part)
    plain, cached = _with_cache(predictor, valid_ids, CACHE_SHARPNESS)
    tried = []
    for theta, log_probs in zip(CACHE_SHARPNESS, cached, strict=True):
        network_share, loss = best_mixture(plain, log_probs)
        tried.append((loss, theta, 1 - network_share))
    _, theta, share = min(tried)
    return Cache(predictor, theta, share)


@torch.inference_mode()
def _with_cache(predictor: Predictor, ids: IdArray, thetas: tuple[float, ...]) -> tuple[Floats, list[Floats]]:
    """Natural-log probability of every token by the model alone, and by the cache alone for every theta."""
    layer = predictor.output_layer
    plain: list[Tensor] = []
    cached: list[list[Tensor]] = [[] for _ in thetas]
    keys_KO = layer.hidden(predictor.unread())[:0]
    words_K = torch.zeros(0, dtype=torch.long, device=predictor.device)
    for read_NR, targets_N in read_document(predictor, ids):
        plain.append(-layer.token_nll(read_NR, targets_N))
        hidden_NO = layer.hidden(read_NR)
        for start in range(0, len(targets_N), CACHE_BLOCK):
            queries_QO = hidden_NO[start : start + CACHE_BLOCK]
            words_Q = targets_N[start : start + CACHE_BLOCK]
            keys_KO = torch.cat([keys_KO[-CACHE_WORDS:], queries_QO])
            words_K = torch.cat([words_K[-CACHE_WORDS:], words_Q])
            for log_probs, theta in zip(cached, thetas, strict=True):
                log_probs.append(_cache_log_probs(queries_QO, words_Q, keys_KO, words_K, theta))
    return _joined(plain), [_joined(parts) for parts in cached]


def _cache_log_probs(
    queries_QO: Tensor, words_Q: Tensor, keys_KO: Tensor, words_K: Tensor, theta: float
) -> Tensor:
    """The queries are the last keys; each sees the CACHE_WORDS keys before it. -inf where there is none."""
    Q, K = len(queries_QO), len(keys_KO)
    own_Q1 = torch.arange(K - Q, K, device=keys_KO.device).unsqueeze(1)
    key_K = torch.arange(K, device=keys_KO.device)
    unseen_QK = (key_K >= own_Q1) | (key_K < own_Q1 - CACHE_WORDS)
    scores_QK = (theta * (queries_QO @ keys_KO.t())).double().masked_fill(unseen_QK, -torch.inf)
    same_QK = words_Q.unsqueeze(1) == words_K
    log_probs_Q = scores_QK.masked_fill(~same_QK, -torch.inf).logsumexp(1) - scores_QK.logsumexp(1)
    return log_probs_Q.nan_to_num(nan=-torch.inf, posinf=-torch.inf, neginf=-torch.inf)


# Dynamic evaluation.


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
        return _joined(_learning(network, self.part, windows, follow))


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


ADAPTATIONS: dict[str, Callable[[RecurrentLM, NgramPart | None, IdArray, IdArray], Adaptation]] = {
    "temperature": fit_temperature,
    "cache": fit_cache,
    "dynamic": fit_dynamic,
}
"""Network, its n-grams, training and validation split -> what is learnt at test time, settings found."""


def _joined(parts: Iterator[Tensor] | list[Tensor]) -> Floats:
    return torch.cat([part.detach().double().cpu() for part in parts]).numpy()
