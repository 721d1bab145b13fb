"""The encoder beside the NumPy reference, and what a text's neighbours in a batch may not change."""

import numpy as np
import pytest
import torch

from langmodel.classification.architecture import POOLING_NAMES, ClassifierArchitecture
from langmodel.classification.encoder import POOLINGS, TextClassifier, reversed_texts
from langmodel.classification.texts import EncodedTexts
from langmodel.classification.trainer import class_probabilities
from langmodel.errors import ConfigError
from langmodel.network.architecture import CELL_NAMES
from langmodel.reference.cells import CELLS
from langmodel.reference.convert import LAYER_NAMES
from langmodel.reference.layers import Bidirectional, Stack

POOL = {
    "last": lambda hidden: hidden[-1],
    "mean": lambda hidden: hidden.mean(0),
    "max": lambda hidden: hidden.max(0),
}


def make(cell="lstm", seed=3, **more) -> TextClassifier:
    shape = {"embedding_size": 4, "hidden_sizes": (5, 3), **more}
    architecture = ClassifierArchitecture(vocabulary_size=11, classes=3, cell=cell, **shape)
    network = TextClassifier(architecture, torch.Generator().manual_seed(seed)).double()
    with torch.no_grad():
        for parameter in network.parameters():  # biases too
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
    return network


def texts(*lengths: int) -> EncodedTexts:
    chance = np.random.default_rng(0)
    return EncodedTexts.of([[1, *chance.integers(3, 11, n - 1)] for n in lengths], [0] * len(lengths))


def reference_of(network: TextClassifier, cell: str) -> tuple[Bidirectional, list[np.ndarray]]:
    chance, a = np.random.default_rng(0), network.architecture
    stacks = [Stack(CELLS[cell](), a.embedding_size, a.hidden_sizes, random=chance) for _ in a.directions]
    for stack, layers in zip(stacks, network.stacks(), strict=True):
        for p, layer in zip(stack.parameters, layers, strict=True):
            for name, theirs in LAYER_NAMES.items():
                p[name][...] = getattr(layer, theirs).detach().numpy()
    return Bidirectional(*stacks), [e.detach().numpy().copy() for e in network.embeddings]


def reference_pooled(both: Bidirectional, embedding: np.ndarray, ids: list[int], pooling: str) -> np.ndarray:
    parts = []
    for stack, order in ((both.forward_stack, ids), (both.backward_stack, [ids[0], *ids[:0:-1]])):
        states, _ = stack.forward(embedding[order])
        parts.append(POOL[pooling](np.array([step[-1][0] for step in states])))
    return np.concatenate(parts)


@pytest.mark.parametrize("pooling", POOLING_NAMES)
@pytest.mark.parametrize("cell", CELLS)
def test_both_directions_and_their_gradients_are_those_of_the_reference(cell, pooling):
    network = make(cell, pooling=(pooling,))
    both, (embedding,) = reference_of(network, cell)
    data = texts(6, 4)
    batch = data.batch([0, 1])
    pooled = network.pooled(network.hidden_states(batch.ids_TB, batch.lengths_B), batch.lengths_B)
    ids = data.ids[1].tolist()
    assert np.allclose(
        pooled[1].detach().numpy(), reference_pooled(both, embedding, ids, pooling), atol=1e-12
    )

    weights = np.random.default_rng(1).normal(size=pooled.shape[1])
    (pooled[1] @ torch.from_numpy(weights)).backward()

    def differences(array: np.ndarray, place: tuple[int, ...]) -> float:
        found = []
        for step in (1e-6, -1e-6):
            array[place] += step
            found.append(float(reference_pooled(both, embedding, ids, pooling) @ weights))
            array[place] -= step
        return (found[0] - found[1]) / 2e-6

    for stack, layers in zip((both.forward_stack, both.backward_stack), network.stacks(), strict=True):
        for p, layer in zip(stack.parameters, layers, strict=True):
            for name, theirs in LAYER_NAMES.items():
                gradient = getattr(layer, theirs).grad.numpy()
                place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
                for at in (place, tuple(0 for _ in gradient.shape)):
                    assert gradient[at] == pytest.approx(differences(p[name], at), abs=1e-7)
    gradient = network.embeddings[0].grad.numpy()
    for at in ((1, 0), (ids[2], 1)):
        assert gradient[at] == pytest.approx(differences(embedding, at), abs=1e-7)


def test_every_pooling_is_in_the_table():
    assert tuple(POOLINGS) == POOLING_NAMES


def test_a_text_from_its_end_begins_with_start_all_the_same():
    ids = torch.tensor([[1, 1], [5, 6], [7, 2], [8, 2]])
    assert reversed_texts(ids, torch.tensor([4, 2])).t().tolist() == [[1, 8, 7, 5], [1, 6, 2, 2]]


@pytest.mark.parametrize("cell", CELL_NAMES)
def test_a_texts_probabilities_do_not_depend_on_its_batch(cell):
    network = make(cell).float()
    data = texts(3, 9, 1, 30, 9, 2)
    together = class_probabilities(network, data)
    for row in range(len(data)):
        alone = class_probabilities(network, data.subset([row]))
        assert np.allclose(alone[0], together[row], atol=1e-6)
    assert np.allclose(together.sum(1), 1)


def test_the_dense_layer_and_embeddings_of_each_direction_are_used():
    plain, data = make(), texts(5)
    dense = make(dense_size=2)
    assert dense.output.shape == (3, 2)
    own = make(own_embeddings=True)
    assert len(own.embeddings) == 2
    before = class_probabilities(own, data)
    with torch.no_grad():
        own.embeddings[1].add_(0.5)
    assert not np.allclose(before, class_probabilities(own, data))
    assert class_probabilities(plain, data).shape == (1, 3)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cell": "transformer"}, "unknown cell"),
        ({"classes": 1}, "classes must be"),
        ({"vocabulary_size": 3}, "vocabulary size"),
        ({"hidden_sizes": ()}, "layers"),
        ({"hidden_sizes": (0,)}, "layer sizes"),
        ({"embedding_size": 0}, "layer sizes"),
        ({"pooling": ("sum",)}, "pooling"),
        ({"pooling": ("max", "max")}, "each once"),
        ({"directions": ()}, "directions"),
    ],
)
def test_shapes_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        ClassifierArchitecture(**{"vocabulary_size": 10, "classes": 2, **wrong})


def test_an_architecture_survives_json_and_nothing_else_does():
    architecture = ClassifierArchitecture(vocabulary_size=10, classes=2, hidden_sizes=(3, 4))
    assert ClassifierArchitecture.from_dict(architecture.to_dict()) == architecture
    for wrong in ({}, {**architecture.to_dict(), "cell": 3}, {**architecture.to_dict(), "pooling": "max"}):
        with pytest.raises(ConfigError):
            ClassifierArchitecture.from_dict(wrong)


def test_several_networks_say_the_mean_of_what_each_says():
    network = make(networks=3)
    data = texts(6, 4, 9)
    batch = data.batch([0, 1, 2])
    each = [torch.softmax(one.alone(batch.ids_TB, batch.lengths_B), 1) for one in network.networks]
    assert not torch.allclose(each[0], each[1]) and not torch.allclose(each[1], each[2])
    mean = torch.stack(each).mean(0).detach().numpy()
    assert np.allclose(class_probabilities(network, data), mean, atol=1e-12)


def test_the_first_of_several_networks_begins_as_a_single_one_does():
    one, three = (
        TextClassifier(
            ClassifierArchitecture(vocabulary_size=11, classes=3, networks=n),
            torch.Generator().manual_seed(1),
        )
        for n in (1, 3)
    )
    begun = three.state_dict()
    assert all(torch.equal(tensor, begun[name]) for name, tensor in one.state_dict().items())
    assert len(three.own_parameters()) == len(list(one.parameters()))
    assert three.parameter_count == 3 * one.parameter_count


def test_a_shape_of_before_there_could_be_several_networks_is_read():
    one = ClassifierArchitecture(vocabulary_size=11, classes=3)
    assert "networks" not in one.to_dict()
    assert ClassifierArchitecture.from_dict(one.to_dict()) == one
    three = ClassifierArchitecture(vocabulary_size=11, classes=3, networks=3)
    assert ClassifierArchitecture.from_dict(three.to_dict()) == three
    with pytest.raises(ConfigError, match="networks must be between 1 and 100"):
        ClassifierArchitecture(vocabulary_size=11, classes=3, networks=0)
