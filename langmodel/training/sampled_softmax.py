"""A cheaper softmax for most of a run: over the targets and a share of the other words, which grows.

Words are numbered by frequency, so that a stride through them takes equally many of every frequency. Each
word that was taken stands for several, and its logit is raised by the logarithm of how many: the sum over
all words is estimated without bias (as in Bengio and Senécal 2008, where words are drawn). The stages are
those of modded-nanogpt's pull request 360; the last is exact.
"""

# N = tokens, S = words of a sample, V = vocabulary

import math
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from langmodel.network.dropout import step_seed
from langmodel.text.vocabulary import SPECIAL_TOKENS, START_ID

STAGES = ((0.57, 0.2), (0.76, 0.28), (0.9, 0.49))
"""Until this part of the run, this share of the other words; then all."""


WIDTH = 256
"""oneDNN prepares each shape of a product anew; so there are few."""


def share_at(done: float) -> float | None:
    """The share of the words after this part of a run; None: all of them."""
    return next((share for until, share in STAGES if done < until), None)


def stages(sampled: bool) -> list[tuple[float, float]]:
    """Where each stage of a run begins and ends, as parts of it; an exact softmax has one."""
    return [*pairwise((0.0, *(until for until, _ in STAGES), 1.0))] if sampled else [(0.0, 1.0)]


def sampled_words(
    targets_N: Tensor, vocabulary_size: int, share: float, seed: int, step: int
) -> tuple[Tensor, Tensor]:
    """Ids of a sample, and the logarithm of how many words each stands for; each of shape (S,).

    The special ids come first, then the targets and the others, ascending. A function of seed and step.
    Of more than WIDTH words, S is a multiple of that: at the end, START stands again for no word.
    """
    device = targets_N.device
    is_target_V = torch.zeros(vocabulary_size, dtype=torch.bool, device=device)
    is_target_V[targets_N] = True
    is_target_V[: len(SPECIAL_TOKENS)] = True
    stride = max(1, round(1 / share))
    generator = torch.Generator().manual_seed(step_seed(seed, step))
    first = int(torch.randint(stride, (1,), generator=generator))
    taken_V = is_target_V.clone()
    taken_V[len(SPECIAL_TOKENS) + first :: stride] = True
    ids_S = taken_V.nonzero()[:, 0]
    log_weight_S = torch.where(is_target_V[ids_S], 0.0, math.log(stride))
    missing = -len(ids_S) % WIDTH if len(ids_S) > WIDTH else 0
    return F.pad(ids_S, (0, missing), value=START_ID), F.pad(log_weight_S, (0, missing), value=-math.inf)
