"""How far a network got beside simple models, token by token on the same text."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from langmodel.ngrams.kneser_ney import Floats, KneserNey, unigram_log_probs

ORDER = 5


@dataclass(frozen=True)
class Comparison:
    """Mean losses in nats per token, END counted, over the same tokens."""

    network: float
    unigram: float
    kneser_ney: float
    mixture: float
    """Of network and n-gram, at the weight that makes it least."""
    network_share: float
    """That weight: the network's, from 0 to 1."""
    tokens: int

    @property
    def network_loses(self) -> bool:
        return self.network >= min(self.kneser_ney, self.unigram)


def compare(
    network_log_probs: Floats, counted: KneserNey, train_ids: npt.ArrayLike, ids: npt.ArrayLike
) -> Comparison:
    """The network's natural-log probability of each token of `ids` beside those of models of `train_ids`, one
    of which has been `counted`.
    """
    kneser_ney = counted.log_probs(ids)
    unigram = unigram_log_probs(train_ids, ids, counted.vocabulary_size)
    share, mixture = best_mixture(network_log_probs, kneser_ney)
    return Comparison(
        network=float(-network_log_probs.mean()),
        unigram=float(-unigram.mean()),
        kneser_ney=float(-kneser_ney.mean()),
        mixture=mixture,
        network_share=share,
        tokens=len(network_log_probs),
    )


def best_mixture(first: Floats, second: Floats, tolerance: float = 1e-4) -> tuple[float, float]:
    """The first's weight in the linear mixture of least loss, and that loss in nats per token.

    Expectation maximisation (Jelinek and Mercer 1980); the loss is convex in the weight.
    """
    ratio = np.exp(np.clip(second - first, -700, 700))
    weight, before = 0.5, -1.0
    while abs(weight - before) > tolerance:
        before = weight
        weight = float(np.mean(weight / (weight + (1 - weight) * ratio)))
    loss = -np.mean(first + np.log(weight + (1 - weight) * ratio))
    # The ends are approached, and never reached.
    found = ((weight, float(loss)), (1.0, float(-first.mean())), (0.0, float(-second.mean())))
    return min(found, key=lambda pair: pair[1])
