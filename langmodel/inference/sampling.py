"""Sentences drawn from a network: all at once, the state carried, the prefix read once."""

# B = sentences still unfinished, V = vocabulary

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from langmodel.errors import SamplingError
from langmodel.inference.balance import Balance
from langmodel.inference.demands import Demand, free_of_unknown_words
from langmodel.inference.filters import Filter, ban, make_filters, only
from langmodel.inference.settings import SamplingSettings
from langmodel.network.cells import select_state
from langmodel.network.likelihood import log_of_the_others
from langmodel.network.predictor import Predictor
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
    """Ids without the last END; the prefix stands first. Of a passage, END stands between sentences."""

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
    network: Predictor,
    count: int,
    settings: SamplingSettings,
    *,
    prefix: Sequence[int] = (),
    banned: Sequence[int] = (),
    demands: Sequence[Demand] = (),
    balance: Balance | None = None,
    generator: torch.Generator,
    check: Callable[[], object] = lambda: None,
) -> Iterator[tuple[DrawnSentence, int]]:
    """`count` sentences that begin with `prefix`, have none of `banned` and meet all `demands`, as they come.

    With each, how many had been drawn by then. Where more are asked for, the first are the same. `generator`
    is a CPU generator. `check` is called before every word, and may raise to stop the work. Raises
    SamplingError when every word is ruled out, or when a demand is met too rarely; it always ends.
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
        for sentence in _draw_batch(network, size, settings, prefix, banned, balance, generator, check):
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


@dataclass
class _Row:
    """A passage while it is drawn."""

    ids: list[int]
    """With END between sentences."""
    words: int
    """Of the present sentence."""
    sentences: int = 1
    """Begun so far."""
    owed: list[int] = field(default_factory=list)
    """Closing marks, the next one last."""
    log_prob: float = 0.0
    log_kept: float = 0.0
    finished: bool = False


def _draw_batch(
    network: Predictor,
    count: int,
    settings: SamplingSettings,
    prefix: Sequence[int],
    banned: Sequence[int],
    balance: Balance | None,
    generator: torch.Generator,
    check: Callable[[], object],
) -> list[DrawnSentence]:
    filters = make_filters(settings)
    # At exact length, one more step draws END.
    last = settings.length + 1 if settings.length else settings.max_length
    begun = list(prefix[::-1]).index(END_ID) if END_ID in prefix else len(prefix)
    owed = [] if balance is None else balance.after(prefix)
    rows = [_Row(list(prefix), begun, owed=[*owed]) for _ in range(count)]
    # What is read after END is the START of the next sentence.
    hidden_1O, state = network.read([START_ID if id == END_ID else id for id in prefix])
    hidden_BO = hidden_1O.expand(count, -1)
    state = select_state(state, [0] * count)
    active = list(range(count)) if begun < last else []
    always = [START_ID, *banned, *([UNK_ID] if settings.unk == "reject" else [])]
    while active:
        check()
        # A column a sentence, used or not: so a sentence does not depend on how many there are.
        uniform = torch.rand(BATCH_SENTENCES, generator=generator, dtype=torch.float64)[active]
        raw_BV = network.output_layer.logits(hidden_BO).cpu()
        ends_here = bool(settings.length) and rows[active[0]].words >= settings.length
        rules = [only(END_ID)] if ends_here else filters
        limits = (
            _Limits() if ends_here else _limits([rows[number] for number in active], settings, balance, last)
        )
        chosen_B, log_prob_B, kept_B = _choose(raw_BV, always, rules, uniform, limits)
        keep: list[int] = []
        inputs: list[int] = []
        drawn = zip(chosen_B.tolist(), log_prob_B.tolist(), kept_B.tolist(), strict=True)
        for place, (id, log_prob, kept) in enumerate(drawn):
            row = rows[active[place]]
            row.log_prob += log_prob
            row.log_kept += kept
            if not _take(row, id, settings, balance) or row.words >= last:
                continue
            keep.append(place)
            inputs.append(START_ID if id == END_ID else id)
        if not keep:
            break
        if len(keep) < len(active):
            active = [active[place] for place in keep]
            state = select_state(state, keep)
        hidden_1BO, state = network(torch.tensor([inputs], device=network.device), state)
        hidden_BO = hidden_1BO[0]
    return [DrawnSentence(row.ids, row.log_prob, row.log_kept, row.finished) for row in rows]


def _take(row: _Row, id: int, settings: SamplingSettings, balance: Balance | None) -> bool:
    """Add what was drawn; whether the passage goes on."""
    if id == END_ID:
        row.finished = row.sentences == settings.sentences
        if row.finished:
            return False
        row.sentences, row.words = row.sentences + 1, 0
        row.ids.append(id)
        return True
    row.ids.append(id)
    row.words += 1
    if balance is not None:
        balance.follow(row.owed, id)
    return not (id == UNK_ID and settings.unk == "resample-sentence")


@dataclass
class _Limits:
    """What single rows must not draw: pairs of a row and an id; and the one id that some rows must draw."""

    rows: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    forced: dict[int, int] = field(default_factory=dict)


def _limits(rows: Sequence[_Row], settings: SamplingSettings, balance: Balance | None, last: int) -> _Limits:
    least = settings.length or settings.min_length
    limits = _Limits()
    for number, row in enumerate(rows):
        out = [END_ID] if row.words < least else []
        if balance is not None:
            if row.owed and last - row.words <= len(row.owed):
                limits.forced[number] = row.owed[-1]  # there is just room to close what is open
                continue
            may_end = row.sentences < settings.sentences
            out += balance.ruled_out(row.owed, may_end=may_end, room=last - row.words)
        limits.rows += [number] * len(out)
        limits.ids += out
    return limits


def _choose(
    raw_BV: Tensor,
    banned: Sequence[int],
    filters: Sequence[Filter],
    uniform_B: Tensor,
    limits: _Limits,
) -> tuple[Tensor, Tensor, Tensor]:
    """A word for every row, its log-probability under the unfiltered model, and log(1 - p(UNK)) there."""
    probabilities_BV = torch.softmax(raw_BV, 1)
    kept_B = log_of_the_others(raw_BV, probabilities_BV, UNK_ID)
    if bool(kept_B.isnan().any()):
        raise SamplingError("the network's numbers overflow; its weights are not those of a trained model")
    if not filters and not limits.forced:
        allowed_BV = probabilities_BV.clone() if limits.ids else probabilities_BV
        before_B = allowed_BV.sum(1)
        allowed_BV[limits.rows, limits.ids] = 0.0
        allowed_BV[:, banned] = 0.0
        if bool((allowed_BV.sum(1) > (1 - MOST_BANNED) * before_B).all()):
            chosen_B = draw(allowed_BV, uniform_B)
            return chosen_B, allowed_BV.gather(1, chosen_B.unsqueeze(1)).squeeze(1).log(), kept_B
        probabilities_BV = torch.softmax(raw_BV, 1)
    normalizer_B1 = raw_BV.amax(1, keepdim=True) - probabilities_BV.amax(1, keepdim=True).log()
    filtered_BV = ban(banned)(raw_BV.clone())
    filtered_BV[limits.rows, limits.ids] = -torch.inf
    for row, id in limits.forced.items():
        filtered_BV[row] = only(id)(filtered_BV[row : row + 1])[0]
    for apply in filters:
        filtered_BV = apply(filtered_BV)
    if not bool((filtered_BV.amax(1) > -math.inf).all()):
        raise SamplingError("every word is ruled out; lower --min-length or ban fewer words")
    chosen_B = draw(torch.softmax(filtered_BV, 1), uniform_B)
    return chosen_B, (raw_BV.gather(1, chosen_B.unsqueeze(1)) - normalizer_B1).squeeze(1), kept_B
