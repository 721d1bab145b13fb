"""Past-decode regularisation: what is predicted next should still tell which word was read last."""

# N = tokens, O = output width, E = embedding, V = vocabulary

import torch
from torch import Tensor, nn

from langmodel.network.cells import uniform_
from langmodel.network.likelihood import expected_embedding, nll_sum
from langmodel.network.products import linear
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.text.vocabulary import START_ID


class PastDecoder(nn.Module):
    """Predicts the word that was read last from the expected embedding of the next (Brahma 2018).

    p(last word) = softmax(embedding · tanh(A · r + a) + b), r = Σ p(next word) · embedding. A, a and b are
    learnt beside the network, which does without them afterwards.
    """

    def __init__(self, network: RecurrentLM, generator: torch.Generator) -> None:
        super().__init__()
        V, E = network.embedding.shape
        self.weight = nn.Parameter(torch.empty(E, E))
        self.bias = nn.Parameter(torch.zeros(E))
        self.output_bias = nn.Parameter(torch.zeros(V))
        uniform_(self.weight, E**-0.5, generator)
        self.to(network.embedding)

    def loss(self, network: RecurrentLM, hidden_NO: Tensor, inputs_N: Tensor) -> Tensor:
        """Mean -log p of the words that were read, in nats; START, which tells nothing, is left out."""
        words = torch.nonzero(inputs_N != START_ID).squeeze(1)
        if not len(words):
            return 0.0 * torch.stack([parameter.sum() for parameter in self.parameters()]).sum()
        expected = expected_embedding(
            hidden_NO[words], network.output_weight, network.output_bias, network.embedding
        )
        decoded = torch.tanh(linear(expected, self.weight, self.bias))
        return nll_sum(decoded, network.embedding, self.output_bias, inputs_N[words]) / len(words)
