"""The same cells at another task: learn a sine wave from windows of 50 points, then continue it.

    python scripts/sine_wave.py [--cell rnn|gru|lstm] [--epochs N] [-o sine_wave.svg]

1,000 points of sin(x) on [-100, 100]. The layer reads 50 points and predicts the next one; then it is fed
its own predictions for 50 steps past the end. Needs the extra [plot] for the picture.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from langmodel.network.architecture import CELL_NAMES
from langmodel.network.cells import RecurrentLayer

POINTS, WINDOW, CONTINUED = 1_000, 50, 50
HIDDEN, EPOCHS, BATCH, RATE = 32, 30, 50, 5e-3


class SineModel(nn.Module):
    """One recurrent layer and a linear read-out of its last hidden state."""

    def __init__(self, cell: str, generator: torch.Generator) -> None:
        super().__init__()
        self.layer = RecurrentLayer(cell, 1, HIDDEN, bias=True)
        self.layer.initialize(generator)
        self.read_out = nn.Linear(HIDDEN, 1)
        nn.init.zeros_(self.read_out.weight)
        nn.init.zeros_(self.read_out.bias)

    def forward(self, window_TB: Tensor) -> Tensor:
        hidden_TBH, _ = self.layer(window_TB.unsqueeze(2), self.layer.zero_state(window_TB.shape[1]))
        prediction: Tensor = self.read_out(hidden_TBH[-1]).squeeze(1)
        return prediction


def fit(model: SineModel, wave: Tensor, generator: torch.Generator, epochs: int) -> float:
    """Train on every window of the wave; the root mean squared error of the last epoch."""
    windows_TB = wave.unfold(0, WINDOW + 1, 1).t()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    error = 0.0
    for epoch in range(epochs):
        total = 0.0
        for columns in torch.split(torch.randperm(windows_TB.shape[1], generator=generator), BATCH):
            loss = (model(windows_TB[:-1, columns]) - windows_TB[-1, columns]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(columns)
        error = (total / windows_TB.shape[1]) ** 0.5
        if (epoch + 1) % 10 == 0:
            print(f"epoch {epoch + 1}: error of the next point {error:.4f} (root mean square)")
    return error


@torch.inference_mode()
def continue_wave(model: SineModel, wave: Tensor) -> Tensor:
    """CONTINUED points after the wave's end, each predicted from the 50 before, its own among them."""
    points = wave[-WINDOW:].tolist()
    for _ in range(CONTINUED):
        points.append(model(torch.tensor(points[-WINDOW:]).unsqueeze(1)).item())
    return torch.tensor(points[WINDOW:])


def draw(x: Tensor, truth: Tensor, continued: Tensor, file: Path) -> None:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "langmodel"}):
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(x, truth, color="0.6", label="sin x")
        axes.plot(x[-CONTINUED:], continued, "--", color="C1", label="continued from its own output")
        axes.axvline(float(x[-CONTINUED]), color="0.8", linewidth=1)
        axes.set_xlabel("x")
        axes.legend(loc="lower left")
        figure.savefig(file, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cell", choices=CELL_NAMES, default="rnn")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("-o", "--output", type=Path, default=Path("sine_wave.svg"))
    arguments = parser.parse_args()
    step = 200 / (POINTS - 1)
    x = -100 + step * torch.arange(POINTS + CONTINUED)
    truth = torch.sin(x)
    generator = torch.Generator().manual_seed(1)
    model = SineModel(arguments.cell, generator)
    fit(model, truth[:POINTS], generator, arguments.epochs)
    continued = continue_wave(model, truth[:POINTS])
    error = (continued - truth[POINTS:]).square().mean().sqrt().item()
    print(f"error of {CONTINUED} continued points {error:.4f} (root mean square; the wave's own is 0.71)")
    draw(x[-3 * CONTINUED :], truth[-3 * CONTINUED :], continued, arguments.output)
    print(f"drawn in {arguments.output}")


if __name__ == "__main__":
    main()
