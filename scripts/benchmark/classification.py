"""The tutorial's classifier (embedding 128, LSTM 512, dense 256) beside the same network in plain PyTorch."""

from collections.abc import Iterator

import numpy as np
import torch
from timing import Row, elsewhere, paired, rate_row
from torch import nn
from torch.nn import functional as F
from training import zipf_ids

from langmodel.classification.config import PRESETS, ClassifierConfig
from langmodel.classification.encoder import TextClassifier
from langmodel.classification.texts import ClassifierData, EncodedTexts
from langmodel.classification.trainer import ClassifierTrainer

VOCABULARY, LENGTH, TEXTS = 20_000, 40, 2_048


class PlainClassifier(nn.Module):
    """As Keras's example has it: every text filled up to 40 words, the last state, a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 128)
        self.lstm = nn.LSTM(128, 512, batch_first=True)
        self.dense = nn.Linear(512, 256)
        self.output = nn.Linear(256, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.lstm(F.dropout(self.embedding(ids), 0.3, self.training))
        last = F.dropout(hidden[:, -1], 0.3, self.training)
        classes: torch.Tensor = self.output(torch.relu(self.dense(last)))
        return classes


def _texts() -> list[np.ndarray]:
    """Of 5 to 40 words, 21 in the middle, as sentences of film reviews are."""
    chance = np.random.default_rng(2)
    lengths = np.clip(chance.normal(21, 9.5, TEXTS).round().astype(int), 5, LENGTH)
    ids = zipf_ids(int(lengths.sum()), VOCABULARY)
    return np.split(ids.astype(np.int64), np.cumsum(lengths)[:-1])


def plain_epochs(batch_size: int, threads: int) -> Iterator[None]:
    torch.set_num_threads(threads)
    texts = _texts()
    padded = np.zeros((TEXTS, LENGTH), np.int64)
    for row, text in zip(padded, texts, strict=True):
        row[LENGTH - len(text) :] = text  # Keras fills up in front
    inputs, labels = torch.from_numpy(padded), torch.arange(TEXTS) % 2
    model = PlainClassifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    while True:
        for rows in torch.split(torch.randperm(TEXTS), batch_size):
            loss = (
                F.cross_entropy(model(inputs[rows]), labels[rows]) + 0.01 * model.dense.weight.square().mean()
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        yield


def our_epochs(config: ClassifierConfig) -> Iterator[None]:
    data = EncodedTexts.of([text.tolist() for text in _texts()], [row % 2 for row in range(TEXTS)])
    network = TextClassifier(config.architecture(VOCABULARY, 2), torch.Generator().manual_seed(1))
    trainer = ClassifierTrainer(network, ClassifierData(data, data), config)
    generator = torch.Generator()
    network.train()
    epoch = 0
    while True:
        batches = data.shuffled(config.batch_size, (1, epoch))
        for rows in batches:
            trainer._step(data.batch(rows), len(batches), generator)
        epoch += 1
        yield


def classification() -> Iterator[Row]:
    config = ClassifierConfig(**PRESETS["keras-sentiment"].settings, clip=0.0)
    ours = our_epochs(config)
    with elsewhere(plain_epochs, config.batch_size, torch.get_num_threads()) as theirs:
        times = paired(lambda: next(ours), theirs, rounds=5)
    yield rate_row("train the tutorial's LSTM classifier, beside plain PyTorch", "texts/s", TEXTS, times)
