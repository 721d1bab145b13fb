"""The tutorial's training: one SGD step a sentence, and the rate halved when the loss rises."""

from collections.abc import Callable, Sequence

from langmodel.reference.language_model import ReferenceLM

Pair = tuple[Sequence[int], Sequence[int]]


def sgd_step(model: ReferenceLM, pair: Pair, *, learning_rate: float, bptt_truncate: int | None) -> None:
    """θ ← θ - learning_rate · gradient of the sentence's summed loss."""
    gradients = model.gradients(*pair, bptt_truncate=bptt_truncate)
    for name, array in model.parameters.items():
        array -= learning_rate * gradients[name]


def train_with_sgd(
    model: ReferenceLM,
    pairs: Sequence[Pair],
    *,
    learning_rate: float = 0.005,
    epochs: int = 10,
    bptt_truncate: int | None = 4,
    evaluate_every: int = 1,
    on_evaluation: Callable[[int, float, float], None] = lambda epoch, loss, rate: None,
) -> list[float]:
    """The losses (mean nats per word) before training and after every `evaluate_every` epochs.

    `on_evaluation` receives the epochs done, the loss, and the learning rate from there on.
    """
    losses: list[float] = []
    for epoch in range(epochs + 1):
        if epoch % evaluate_every == 0:
            loss = model.loss(pairs)
            if losses and loss > losses[-1]:
                learning_rate /= 2
            losses.append(loss)
            on_evaluation(epoch, loss, learning_rate)
        if epoch < epochs:
            for pair in pairs:
                sgd_step(model, pair, learning_rate=learning_rate, bptt_truncate=bptt_truncate)
    return losses
