"""Sentences drawn from a network: all at once, the state carried, the prefix read once."""

# B = sentences still unfinished, V = vocabulary

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from langmodel.errors import SamplingError
from langmodel.inference.filters import Filter, ban, make_filters
from langmodel.inference.settings import SamplingSettings
from langmodel.network.cells import select_state
from langmodel.network.likelihood import logits
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

BATCH_SENTENCES = 512
"""Sentences that advance together; bounds the memory of a step."""

TRIES_PER_SENTENCE = 200
"""`resample-sentence` gives up after this many sentences for each one wanted."""

BLOCK = 128
"""A draw first finds the block of words, then the word."""


@dataclass(frozen=True)
class DrawnSentence:
    """Ids without END; the prefix stands first."""

    ids: list[int]
    log_prob: float
    """Natural-log probability of what was drawn, END included, under the unfiltered model."""
    finished: bool
    """False: cut off at `max_length`."""


def _just_under(sum_B1: Tensor) -> Tensor:
    return torch.nextafter(sum_B1, torch.zeros_like(sum_B1))


def draw(probabilities_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """Ids drawn by inverting the cumulative distribution at `uniform_B` in [0, 1).

    Rows need not sum to one. A word of probability zero is never drawn. Blocks are summed in the
    input's precision, and the blocks' sums in float64.
    """
    V = probabilities_BV.shape[1]
    padded_BV = F.pad(probabilities_BV, (0, -V % BLOCK)).view(len(probabilities_BV), -1, BLOCK)
    sums = padded_BV.sum(2).double().cumsum(1)
    # Rounding must not carry an aim past the last word, or block, that has any probability.
    aim_B1 = torch.minimum((uniform_B * sums[:, -1]).unsqueeze(1), _just_under(sums[:, -1:]))
    block_B1 = torch.searchsorted(sums, aim_B1, right=True)
    first_B1 = torch.where(block_B1 > 0, sums.gather(1, (block_B1 - 1).clamp(min=0)), 0.0)
    inside = padded_BV[torch.arange(len(padded_BV)), block_B1[:, 0]].double().cumsum(1)
    aim_B1 = torch.minimum(aim_B1 - first_B1, _just_under(inside[:, -1:]))
    within_B1 = torch.searchsorted(inside, aim_B1, right=True)
    return (block_B1 * BLOCK + within_B1).squeeze(1)


@torch.inference_mode()
def sample_ids(
    network: RecurrentLM,
    count: int,
    settings: SamplingSettings,
    *,
    prefix: Sequence[int] = (),
    generator: torch.Generator,
) -> list[DrawnSentence]:
    """`count` sentences that begin with `prefix`, by the unk policy of `settings`.

    `generator` is a CPU generator. Raises SamplingError when every word is ruled out, or when
    `resample-sentence` meets UNK too often; it always ends.
    """
    drawn: list[DrawnSentence] = []
    if settings.unk != "resample-sentence":
        for start in range(0, count, BATCH_SENTENCES):
            size = min(BATCH_SENTENCES, count - start)
            drawn += _draw_batch(network, size, settings, prefix, generator)
        return drawn
    tries = 0
    while len(drawn) < count:
        if tries >= TRIES_PER_SENTENCE * count:
            raise SamplingError(
                f"{len(drawn)} of {tries} sentences were free of unknown words; "
                "use --unk reject, or a larger vocabulary"
            )
        size = min(BATCH_SENTENCES, max(16, count - len(drawn)))
        sentences = _draw_batch(network, size, settings, prefix, generator)
        tries += size
        drawn += [s for s in sentences if UNK_ID not in s.ids[len(prefix) :]]
    return drawn[:count]


def _draw_batch(
    network: RecurrentLM,
    count: int,
    settings: SamplingSettings,
    prefix: Sequence[int],
    generator: torch.Generator,
) -> list[DrawnSentence]:
    filters = make_filters(settings)
    banned = ban([UNK_ID, START_ID] if settings.unk == "reject" else [START_ID])
    banned_with_end = ban([END_ID])
    stop_at_unk = settings.unk == "resample-sentence"

    ids = [list(prefix) for _ in range(count)]
    log_probs = [0.0] * count
    finished = [False] * count
    hidden_1O, state = network.read(prefix)
    hidden_BO = hidden_1O.expand(count, -1)
    state = select_state(state, [0] * count)
    active = list(range(count))
    length = len(prefix)
    while active and length < settings.max_length:
        uniform = torch.rand(count, generator=generator, dtype=torch.float64)[active]
        raw_BV = logits(hidden_BO, network.output_weight, network.output_bias).cpu()
        rules = [banned, banned_with_end] if length < settings.min_length else [banned]
        chosen_B, log_prob_B = _choose(raw_BV, [*rules, *filters], uniform)
        keep: list[int] = []
        for row, (id, log_prob) in enumerate(zip(chosen_B.tolist(), log_prob_B.tolist(), strict=True)):
            sentence = active[row]
            log_probs[sentence] += log_prob
            if id == END_ID:
                finished[sentence] = True
                continue
            ids[sentence].append(id)
            if not (stop_at_unk and id == UNK_ID):
                keep.append(row)
        length += 1
        if not keep:
            break
        if len(keep) < len(active):
            active = [active[row] for row in keep]
            state = select_state(state, keep)
            chosen_B = chosen_B[keep]
        hidden_1BO, state = network(chosen_B.to(network.device).unsqueeze(0), state)
        hidden_BO = hidden_1BO[0]
    return [DrawnSentence(*parts) for parts in zip(ids, log_probs, finished, strict=True)]


def _choose(raw_BV: Tensor, filters: Sequence[Filter], uniform_B: Tensor) -> tuple[Tensor, Tensor]:
    """A word for every row, and its log-probability under the unfiltered model."""
    best_B1 = raw_BV.amax(1, keepdim=True)
    normalizer_B1 = best_B1 - torch.softmax(raw_BV, 1).amax(1, keepdim=True).log()
    filtered_BV = raw_BV.clone()
    for apply in filters:
        filtered_BV = apply(filtered_BV)
    if not bool((filtered_BV.amax(1) > -math.inf).all()):
        raise SamplingError("every word is ruled out; lower --min-length or ban less")
    chosen_B = draw(torch.softmax(filtered_BV, 1), uniform_B)
    return chosen_B, (raw_BV.gather(1, chosen_B.unsqueeze(1)) - normalizer_B1).squeeze(1)
