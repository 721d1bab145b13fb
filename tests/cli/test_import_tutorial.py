from pathlib import Path

import numpy as np
import pytest

import langmodel
from langmodel.cli.main import run
from langmodel.reference import ReferenceLM

WORDS = ["SENTENCE_START", "the", "SENTENCE_END", "cat", "sat", "UNKNOWN_TOKEN"]
H, C = 3, len(WORDS)


def arrays(**changes: object) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    good = {"U": random.normal(size=(H, C)), "V": random.normal(size=(C, H)), "W": random.normal(size=(H, H))}
    return {name: array for name, array in {**good, **changes}.items() if array is not None}


def run_import(folder: Path, weights: dict[str, np.ndarray], words: list[str] = WORDS) -> int:
    np.savez(folder / "w.npz", **weights)
    (folder / "words.txt").write_text("\n".join(words) + "\n")
    paths = (str(folder / name) for name in ("w.npz", "words.txt", "m.safetensors"))
    return run(["import-tutorial", next(paths), "--vocabulary", next(paths), "-o", next(paths)])


@pytest.mark.parametrize("words", [WORDS, WORDS[:-1]], ids=["all", "all but the unknown"])
def test_the_imported_model_has_the_tutorials_probabilities(tmp_path, words):
    weights = arrays()
    assert run_import(tmp_path, weights, words) == 0
    lm = langmodel.load(tmp_path / "m.safetensors")

    # The tutorial's own arithmetic, in its own order of words; START's share goes to the others.
    state = np.zeros(H)
    expected = []
    for read, target in zip([0, 1, 3, 5], [1, 3, 5, 2], strict=True):  # the cat <unknown>
        state = np.tanh(weights["U"][:, read] + weights["W"] @ state)
        odds = np.exp(weights["V"] @ state)
        expected.append(np.log(odds[target] / (odds.sum() - odds[0])))
    score = lm.score("the cat purred")
    assert [word.log_prob for word in score.words] == pytest.approx(expected, abs=1e-5)
    assert [word.oov for word in score.words] == [False, False, True, False]
    assert all(set(s.words) <= {"the", "cat", "sat"} for s in lm.sample(50, seed=1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"W": None}, "no array W; it holds U, V"),
        ({"U": np.zeros((C, H))}, "expected hidden × words"),
        ({"V": np.zeros((H, C))}, "expected hidden × words"),
        ({"W": np.zeros((H, H + 1))}, "expected hidden × words"),
        ({"U": np.zeros(4)}, "expected hidden × words"),
        ({"U": np.array([[object()]], dtype=object)}, "not an .npz of plain arrays"),
        ({"U": np.full((H, C), np.nan)}, "U holds values that are not finite"),
        ({"U": np.full((H, C), "x")}, "U holds values that are not finite"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, capsys, changes, message):
    assert run_import(tmp_path, arrays(**changes)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "m.safetensors").exists()


@pytest.mark.parametrize("words", [WORDS[:3], [*WORDS, "more"], ["a", "the", "b", "cat", "sat"], []])
def test_word_lists_that_do_not_fit_are_refused(tmp_path, capsys, words):
    assert run_import(tmp_path, arrays(), words) == 2
    assert "words.txt" in capsys.readouterr().err


def test_a_file_that_is_no_archive_is_refused(tmp_path, capsys):
    (tmp_path / "words.txt").write_text("a\n")
    arguments = ["--vocabulary", str(tmp_path / "words.txt"), "-o", str(tmp_path / "m")]
    assert run(["import-tutorial", str(tmp_path / "words.txt"), *arguments]) == 2
    np.savez_compressed(tmp_path / "w.npz", **arrays())
    data = (tmp_path / "w.npz").read_bytes()
    member = data.index(b"U.npy") + 60
    (tmp_path / "w.npz").write_bytes(
        data[:member] + bytes(255 - byte for byte in data[member : member + 40]) + data[member + 40 :]
    )
    assert run(["import-tutorial", str(tmp_path / "w.npz"), *arguments]) == 2
    assert "not an .npz of plain arrays" in capsys.readouterr().err
    assert run(["import-tutorial", str(tmp_path / "none.npz"), *arguments]) == 2
    assert "no such file" in capsys.readouterr().err


def test_the_tutorials_size_is_taken(tmp_path):
    words = ["SENTENCE_START", "SENTENCE_END", *(f"w{n}" for n in range(7_997)), "UNKNOWN_TOKEN"]
    model = ReferenceLM(8_000, (100,), dtype=np.float32)
    p = model.parameters
    assert run_import(tmp_path, {"U": p["U"], "V": p["V"], "W": p["0.W_s"]}, words) == 0
    assert langmodel.load(tmp_path / "m.safetensors").network.parameter_count == 1_610_000
