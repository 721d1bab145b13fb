"""The language model's own loss beside the classifier's, so that what it knew of language is kept."""

# T = time, B = batch, H = hidden, O = output width

import torch
from torch import Tensor, nn

from langmodel.classification.texts import Batch
from langmodel.network.output_layer import OutputLayer
from langmodel.network.products import linear
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.text.vocabulary import END_ID, START_ID


class ReadingLoss(nn.Module):
    """Mean -log p of each next word, in nats, under the output layer that the language model came with.

    It reads the same hidden states as the classifier, dropout included, and is left out of the saved model.
    """

    def __init__(self, language_model: RecurrentLM) -> None:
        super().__init__()
        language_model.architecture.needs_exact_softmax("the language model's loss")
        self.weight = nn.Parameter(language_model.output_weight.detach().clone())
        bias = language_model.output_bias
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        projection = language_model.projection
        self.projection = None if projection is None else nn.Parameter(projection.detach().clone())

    def forward(self, outputs: list[Tensor], batch: Batch) -> Tensor:
        """`outputs` as of TextClassifier.hidden_states, the forward direction first."""
        targets_TB = next_words(batch.ids_TB, batch.lengths_B)
        is_read_TB = torch.arange(len(targets_TB), device=targets_TB.device).unsqueeze(1) < batch.lengths_B
        hidden_NH = outputs[0][is_read_TB]
        read_NO = hidden_NH if self.projection is None else linear(hidden_NH, self.projection, None)
        targets_N = targets_TB[is_read_TB]
        total = OutputLayer(self.weight, self.bias).nll_sum(read_NO, targets_N)
        return total.to(hidden_NH.dtype) / len(targets_N)


def next_words(ids_TB: Tensor, lengths_B: Tensor) -> Tensor:
    """What comes after each word: END where the next sentence starts, or the text ends."""
    targets_TB = ids_TB.roll(-1, 0)
    targets_TB[lengths_B - 1, torch.arange(ids_TB.shape[1], device=ids_TB.device)] = END_ID
    return targets_TB.masked_fill(targets_TB == START_ID, END_ID)
