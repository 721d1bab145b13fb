"""Probabilities of the classes of many texts."""

# N = texts, C = classes

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from langmodel.classification.encoder import TextClassifier
from langmodel.classification.texts import EncodedTexts


@torch.no_grad()
def class_probabilities(network: TextClassifier, texts: EncodedTexts) -> npt.NDArray[np.float64]:
    """Of every text, in order, shape (N, C); float64 rows that sum to one."""
    was_training = network.training
    network.eval()
    found = torch.empty(len(texts), network.architecture.classes, dtype=torch.float64)
    for rows in texts.by_length():
        batch = texts.batch(rows).to(network.device)
        logits_BC: Tensor = network(batch.ids_TB, batch.lengths_B)
        found[rows] = torch.softmax(logits_BC.double(), 1).cpu()
    network.train(was_training)
    return found.numpy()
