"""What a training step minimises: the likelihood of a window, and penalties on the hidden states."""

# T = time, B = batch, H = hidden

from torch import Tensor, nn

from langmodel.network.cells import CELLS, State
from langmodel.network.dropout import Dropout
from langmodel.network.output_layer import OutputLayer
from langmodel.network.precision import IN_BFLOAT16, HalfPrecision
from langmodel.network.recurrent_lm import RecurrentLM
from langmodel.network.windows import Window


class Objective(nn.Module):
    """A network with its loss, so that several processes can share out the whole of a step.

    `ar` weighs activation regularisation, the mean square of what dropout leaves of the last layer;
    `tar` its temporal kind, the mean square of its change from step to step (Merity et al. 2017). With
    `float16`, the recurrent layers compute in that; with `bfloat16`, those of an LSTM do, and the factors of
    the softmax's products are rounded to it.
    """

    def __init__(
        self,
        network: RecurrentLM,
        *,
        ar: float = 0.0,
        tar: float = 0.0,
        float16: bool = False,
        bfloat16: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.ar = ar
        self.tar = tar
        self.in_float16 = float16
        self.in_bfloat16 = bfloat16

    def forward(
        self,
        window: Window,
        state: State,
        dropout: Dropout,
        among: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor | None, State]:
        """Σ -log p of the window's targets in nats, float64; the penalties, None without any; the state.

        `among` holds the words of a sampled softmax and their log-weights; None: all words.
        """
        network = self.network
        half = None
        if self.in_float16:
            half = HalfPrecision(len(window.targets_N))
        elif self.in_bfloat16 and CELLS[network.architecture.cell].native_on_cpu:
            half = IN_BFLOAT16
        activations = network.activations(window.inputs_TB, state, dropout, half)
        read_NO, layer = window.real(activations.read_TBO), network.output_layer
        if self.in_bfloat16:
            layer = layer.in_bfloat16()
        if among is None:
            nll = layer.nll_sum(read_NO, window.targets_N)
        else:
            assert isinstance(layer, OutputLayer), "an adaptive softmax is never sampled"
            nll = layer.nll_sum_among(read_NO, window.targets_N, *among)
        penalties: list[Tensor] = []
        if self.ar:
            penalties.append(self.ar * activations.dropped_TBH.square().mean())
        if self.tar and len(activations.last_TBH) > 1:
            penalties.append(self.tar * activations.last_TBH.diff(dim=0).square().mean())
        return nll, sum(penalties[1:], penalties[0]) if penalties else None, activations.state
