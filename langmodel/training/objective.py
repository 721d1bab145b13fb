"""What a training step minimises: the likelihood of a window, and penalties on the hidden states."""

# T = time, B = batch, H = hidden

from torch import Tensor, nn

from langmodel.network.cells import State
from langmodel.network.dropout import Dropout
from langmodel.network.likelihood import nll_sum
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import Window


class Objective(nn.Module):
    """A network with its loss, so that several processes can share out the whole of a step.

    `ar` weighs activation regularisation, the mean square of what dropout leaves of the last layer;
    `tar` its temporal kind, the mean square of its change from step to step (Merity et al. 2017).
    """

    def __init__(self, network: RecurrentLM, *, ar: float, tar: float) -> None:
        super().__init__()
        self.network = network
        self.ar = ar
        self.tar = tar

    def forward(
        self, window: Window, state: State, dropout: Dropout | None
    ) -> tuple[Tensor, Tensor | None, State]:
        """Σ -log p of the window's targets in nats, float64; the penalties, None without any; the state."""
        network = self.network
        activations = network.activations(window.inputs_TB, state, dropout)
        nll = nll_sum(
            window.real(activations.read_TBO), network.output_weight, network.output_bias, window.targets_N
        )
        penalty: Tensor | None = None
        if self.ar:
            penalty = self.ar * activations.dropped_TBH.square().mean()
        if self.tar and len(activations.last_TBH) > 1:
            change = self.tar * activations.last_TBH.diff(dim=0).square().mean()
            penalty = change if penalty is None else penalty + change
        return nll, penalty, activations.state
