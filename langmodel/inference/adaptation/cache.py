"""A neural cache: what followed states like the present one."""

# N = tokens, O = output width, Q = queries, K = keys

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from langmodel.inference.adaptation.fitting import Floats, joined
from langmodel.network.evaluation import read_document
from langmodel.network.mixture import NgramPart, predictor_of
from langmodel.network.predictor import Predictor
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray
from langmodel.ngrams.comparison import best_mixture

CACHE_WORDS = 2_000
"""How far back the cache looks."""

CACHE_SHARPNESS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Values of Grave's theta that are tried."""

CACHE_BLOCK = 256


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
    return joined(plain), [joined(parts) for parts in cached]


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
