"""The plain ways of training a recurrent language model, as the baseline of ours."""

# T = words, V = vocabulary, H = hidden

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from langmodel.network.windows import DocumentWindows, IdArray
from langmodel.text.vocabulary import END_ID, START_ID, UNK_ID

BATCH, BPTT = 20, 35

Floats = npt.NDArray[np.float64]


class PlainModel(nn.Module):
    """The language model of PyTorch's tutorials: nn.LSTM, log_softmax, NLLLoss."""

    def __init__(self, cell: str, vocabulary_size: int, size: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, size)
        kind: Any = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.rnn = kind(size, size, layers)
        self.output = nn.Linear(size, vocabulary_size)

    def forward(self, inputs: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        hidden, state = self.rnn(self.embedding(inputs), state)
        return torch.log_softmax(self.output(hidden.flatten(0, 1)), dim=1), state


def plain_steps(model: PlainModel, ids: IdArray, threads: int, batch_size: int = BATCH) -> Iterator[None]:
    """A training step each time it is asked for: backward, clip, SGD."""
    torch.set_num_threads(threads)
    criterion = nn.NLLLoss()
    state: Any = None
    epoch = 0
    while True:
        for window in DocumentWindows(ids, batch_size=batch_size, bptt=BPTT).epoch(epoch):
            if state is not None:
                state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
            model.zero_grad()
            log_probs, state = model(window.inputs_TB, state)
            loss = criterion(log_probs, window.targets_N)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            with torch.no_grad():
                for parameter in model.parameters():
                    assert parameter.grad is not None
                    parameter.add_(parameter.grad, alpha=-1.0)
            loss.item()
            yield
        epoch += 1


@torch.inference_mode()
def plain_sentences(model: PlainModel, threads: int, longest: int) -> Iterator[int]:
    """Samples sentences as the tutorial does, and gives the number of words of each.

    For every word, the whole sentence so far is read and all its next words are predicted anew; UNK is
    drawn again.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    while True:
        ids, words = [START_ID], 0
        while words < longest:
            log_probs, _ = model(torch.tensor(ids).unsqueeze(1), None)
            id = UNK_ID
            while id == UNK_ID:
                id = int(torch.multinomial(log_probs[-1].exp(), 1))
            words += 1
            if id == END_ID:
                break
            ids.append(id)
        yield words


class TutorialRNN:
    """A sentence a step in NumPy, word by word, as one writes it when learning; every gradient dense."""

    def __init__(self, vocabulary_size: int, hidden_size: int) -> None:
        random = np.random.default_rng(1)
        self.U = random.uniform(-1, 1, (hidden_size, vocabulary_size)) / vocabulary_size**0.5
        self.V = random.uniform(-1, 1, (vocabulary_size, hidden_size)) / hidden_size**0.5
        self.W = random.uniform(-1, 1, (hidden_size, hidden_size)) / hidden_size**0.5

    def step(self, inputs: list[int], targets: list[int], rate: float = 0.005, truncate: int = 4) -> None:
        U, V, W = self.U, self.V, self.W
        T = len(inputs)
        states: Floats = np.zeros((T + 1, len(W)))  # the last row is the state before the first word
        errors: Floats = np.zeros((T, len(V)))
        for t in range(T):
            states[t] = np.tanh(U[:, inputs[t]] + W @ states[t - 1])
            scores = V @ states[t]
            exponentials = np.exp(scores - scores.max())
            errors[t] = exponentials / exponentials.sum()
        errors[np.arange(T), targets] -= 1
        grad_U, grad_V, grad_W = np.zeros_like(U), np.zeros_like(V), np.zeros_like(W)
        for t in reversed(range(T)):
            grad_V += np.outer(errors[t], states[t])
            delta = (V.T @ errors[t]) * (1 - states[t] ** 2)
            for back in range(t, max(-1, t - truncate - 1), -1):
                grad_W += np.outer(delta, states[back - 1])
                grad_U[:, inputs[back]] += delta
                delta = (W.T @ delta) * (1 - states[back - 1] ** 2)
        U -= rate * grad_U
        V -= rate * grad_V
        W -= rate * grad_W
