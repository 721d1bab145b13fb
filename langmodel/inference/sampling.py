"""Sentences drawn from a network: all at once, the state carried, the prefix read once."""

# B = sentences still unfinished, V = vocabulary

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from langmodel.errors import SamplingError
from langmodel.inference.demands import Demand, free_of_unknown_words
from langmodel.inference.filters import Filter, ban, make_filters, only
from langmodel.inference.settings import SamplingSettings
from langmodel.network.cells import select_state
from langmodel.network.likelihood import log_of_the_others, logits
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

BATCH_SENTENCES = 1_024
"""Sentences that advance together; bounds the memory of a step."""

TRIES_PER_SENTENCE = 1_000
"""Where sentences are drawn again, this many for each one wanted are the end."""

MOST_BANNED = 0.999
"""Where less than this is banned, what is left of the probabilities is drawn from as it stands."""

BLOCK = 128
"""A draw first finds the block of words, then the word."""


@dataclass(frozen=True)
class DrawnSentence:
    """Ids without END; the prefix stands first."""

    ids: list[int]
    log_prob: float
    """Natural-log probability of what was drawn, END included, under the unfiltered model."""
    log_kept: float
    """Σ log(1 - p(UNK)) over the steps: what never drawing UNK left of the probability."""
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
    banned: Sequence[int] = (),
    demands: Sequence[Demand] = (),
    generator: torch.Generator,
) -> Iterator[tuple[DrawnSentence, int]]:
    """`count` sentences that begin with `prefix`, have none of `banned` and meet all `demands`, as they come.

    With each, how many had been drawn by then. Where more are asked for, the first are the same. `generator`
    is a CPU generator. Raises SamplingError when every word is ruled out, or when a demand is met too rarely;
    it always ends.
    """
    if settings.unk == "resample-sentence":
        demands = [free_of_unknown_words(len(prefix)), *demands]
    always_the_same = not settings.temperature
    most = 1 if always_the_same else TRIES_PER_SENTENCE * count
    failed, met = [0] * len(demands), [0] * len(demands)
    kept = tries = 0
    while kept < count:
        if tries >= most:
            worst = failed.index(max(failed))
            raise SamplingError(
                f"{met[worst]} of {tries} sentences {demands[worst].says}; {demands[worst].remedy}"
            )
        # How many are drawn together must not depend on how many are wanted, or only at the end.
        size = 1 if always_the_same else min(BATCH_SENTENCES, max(16, tries) if demands else count - kept)
        for sentence in _draw_batch(network, size, settings, prefix, banned, generator):
            if kept == count:
                return
            tries += 1
            for number, demand in enumerate(demands):
                if not demand.holds(sentence.ids):
                    failed[number] += 1
                    break
                met[number] += 1
            else:
                for _ in range(count if always_the_same else 1):
                    kept += 1
                    yield sentence, max(kept, tries)


def _banned(settings: SamplingSettings, banned: Sequence[int], length: int) -> list[int]:
    """What must not come next after `length` words."""
    least = settings.length or settings.min_length
    unknown = [UNK_ID] if settings.unk == "reject" else []
    return [START_ID, *banned, *unknown, *([END_ID] if length < least else [])]


def _draw_batch(
    network: RecurrentLM,
    count: int,
    settings: SamplingSettings,
    prefix: Sequence[int],
    banned: Sequence[int],
    generator: torch.Generator,
) -> list[DrawnSentence]:
    filters = make_filters(settings)
    stop_at_unk = settings.unk == "resample-sentence"
    # At exact length, one more step draws END.
    last = settings.length + 1 if settings.length else settings.max_length

    ids = [list(prefix) for _ in range(count)]
    log_probs, log_kept = [0.0] * count, [0.0] * count
    finished = [False] * count
    hidden_1O, state = network.read(prefix)
    hidden_BO = hidden_1O.expand(count, -1)
    state = select_state(state, [0] * count)
    active = list(range(count))
    length = len(prefix)
    while active and length < last:
        # A column a sentence, used or not: so a sentence does not depend on how many there are.
        uniform = torch.rand(BATCH_SENTENCES, generator=generator, dtype=torch.float64)[active]
        raw_BV = logits(hidden_BO, network.output_weight, network.output_bias).cpu()
        ends_here = bool(settings.length) and length >= settings.length
        rules = [only(END_ID)] if ends_here else filters
        chosen_B, log_prob_B, kept_B = _choose(raw_BV, _banned(settings, banned, length), rules, uniform)
        keep: list[int] = []
        drawn = zip(chosen_B.tolist(), log_prob_B.tolist(), kept_B.tolist(), strict=True)
        for row, (id, log_prob, kept) in enumerate(drawn):
            sentence = active[row]
            log_probs[sentence] += log_prob
            log_kept[sentence] += kept
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
    return [DrawnSentence(*parts) for parts in zip(ids, log_probs, log_kept, finished, strict=True)]


def _choose(
    raw_BV: Tensor, banned: Sequence[int], filters: Sequence[Filter], uniform_B: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """A word for every row, its log-probability under the unfiltered model, and log(1 - p(UNK)) there."""
    probabilities_BV = torch.softmax(raw_BV, 1)
    kept_B = log_of_the_others(raw_BV, probabilities_BV, UNK_ID)
    if bool(kept_B.isnan().any()):
        raise SamplingError("the network's numbers overflow; its weights are not those of a trained model")
    if not filters and bool((probabilities_BV[:, banned].sum(1) < MOST_BANNED).all()):
        probabilities_BV[:, banned] = 0.0
        chosen_B = draw(probabilities_BV, uniform_B)
        return chosen_B, probabilities_BV.gather(1, chosen_B.unsqueeze(1)).squeeze(1).log(), kept_B
    normalizer_B1 = raw_BV.amax(1, keepdim=True) - probabilities_BV.amax(1, keepdim=True).log()
    filtered_BV = raw_BV.clone()
    for apply in (ban(banned), *filters):
        filtered_BV = apply(filtered_BV)
    if not bool((filtered_BV.amax(1) > -math.inf).all()):
        raise SamplingError("every word is ruled out; lower --min-length or ban less")
    chosen_B = draw(torch.softmax(filtered_BV, 1), uniform_B)
    return chosen_B, (raw_BV.gather(1, chosen_B.unsqueeze(1)) - normalizer_B1).squeeze(1), kept_B
