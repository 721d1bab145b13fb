"""Temperature: how sharp a distribution is."""

# N = tokens, O = output width

from dataclasses import dataclass

import torch

from langmodel.inference.adaptation.fitting import Floats, joined
from langmodel.network.evaluation import read_document
from langmodel.network.mixture import MixedReadout, NgramPart, predictor_of
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import IdArray

NEWTON_STEPS = 8
NEWTON_TOLERANCE = 1e-4


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
        return joined(
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
