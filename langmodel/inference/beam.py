"""Beam search: the likeliest sentences, as far as a beam can see."""

# B = unfinished sentences, V = vocabulary

from collections.abc import Sequence

import torch

from langmodel.errors import SamplingError
from langmodel.inference.filters import ban
from langmodel.inference.sampling import DrawnSentence
from langmodel.inference.settings import SamplingSettings
from langmodel.network.cells import select_state
from langmodel.network.predictor import Predictor
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID


@torch.inference_mode()
def beam_search(
    network: Predictor,
    width: int,
    settings: SamplingSettings,
    *,
    prefix: Sequence[int] = (),
    banned: Sequence[int] = (),
) -> list[DrawnSentence]:
    """Up to `width` sentences, likeliest first, by their log-probability under the whole model.

    Of `settings`, the lengths and the unk policy count: UNK is never taken but with `keep`. The search ends
    when no unfinished sentence can become likelier than the `width` finished ones.
    """
    never = [START_ID, *banned] + ([] if settings.unk == "keep" else [UNK_ID])
    least, most = settings.length or settings.min_length, settings.length or settings.max_length
    hidden_BO, state = network.read(prefix)
    unfinished = [(0.0, 0.0, list(prefix))]
    finished: list[DrawnSentence] = []
    for length in range(len(prefix), most + 1):
        log_probs_BV = network.output_layer.log_probabilities(hidden_BO).double().cpu()
        if bool(log_probs_BV.isnan().any()):
            raise SamplingError(
                "the network's numbers overflow; its weights are not those of a trained model"
            )
        sums_BV = log_probs_BV + torch.tensor([[log_prob] for log_prob, _, _ in unfinished]).double()
        kept_B = torch.log1p(-log_probs_BV[:, UNK_ID].exp()).tolist()
        if length >= least:
            finished += [
                DrawnSentence(ids, total, before + kept, True)
                for (_, before, ids), total, kept in zip(
                    unfinished, sums_BV[:, END_ID].tolist(), kept_B, strict=True
                )
            ]
            finished = sorted(finished, key=lambda sentence: -sentence.log_prob)[:width]
        if length == most:
            break
        sums_BV = ban([*never, END_ID])(sums_BV)
        best = sums_BV.flatten().topk(min(width, sums_BV.numel()))
        taken = [
            (total, *divmod(place, sums_BV.shape[1]))
            for total, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
            if total > -torch.inf
        ]
        if not taken or (len(finished) == width and finished[-1].log_prob >= taken[0][0]):
            break
        unfinished = [
            (total, unfinished[row][1] + kept_B[row], [*unfinished[row][2], id]) for total, row, id in taken
        ]
        rows, ids = ([candidate[part] for candidate in taken] for part in (1, 2))
        state = select_state(state, rows)
        hidden_1BO, state = network(torch.tensor([ids], device=network.device), state)
        hidden_BO = hidden_1BO[0]
    if not finished:
        raise SamplingError("every word is ruled out; lower --min-length or ban fewer words")
    return finished
