import errno
import hashlib
import json
import os
import pickle
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import CELLS, make_model
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save as save_tensors

from langmodel.errors import InputError, LangModelError, ModelFileError
from langmodel.inference.language_model import LanguageModel
from langmodel.storage import atomic, container
from langmodel.storage.atomic import locked_directory
from langmodel.storage.model_file import (
    LAST,
    PREVIOUS,
    SavedModel,
    load_model,
    model_path,
    refuse_what_does_not_fit,
    save_model,
)
from langmodel.storage.run_files import append_metrics, cut_metrics, read_metrics
from langmodel.storage.training_state import TrainingState
from langmodel.text.pipeline import Pipeline


def saved(cell: str = "lstm", **changes: object) -> SavedModel:
    lm = make_model(cell, **changes)
    return SavedModel(
        network=lm.network,
        vocabulary=lm.vocabulary,
        pipeline=lm.pipeline,
        context="document",
        provenance={"step": 3},
    )


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "shape", [{}, {"tied": True, "embedding_size": 3}, {"embedding_size": 0, "bias": False}]
)
def test_a_model_comes_back_as_it_was(tmp_path, cell, shape):
    model = saved(cell, **shape)
    save_model(tmp_path / "m.safetensors", model)
    again = load_model(tmp_path / "m.safetensors")
    assert again.network.architecture == model.network.architecture
    assert again.vocabulary == model.vocabulary
    assert again.pipeline == model.pipeline
    assert (again.context, again.provenance, again.training) == ("document", {"step": 3}, None)
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], tensor)


def test_training_state_travels_with_the_model(tmp_path):
    state = TrainingState({"progress": {"step": 7}}, {"carried.0.0": torch.arange(3.0)})
    save_model(tmp_path / "m.safetensors", replace(saved(), training=state))
    again = load_model(tmp_path / "m.safetensors").training
    assert again is not None
    assert again.values == state.values
    assert torch.equal(again.tensors["carried.0.0"], torch.arange(3.0))


def test_the_same_model_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        save_model(tmp_path / name, saved())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


NAMED = r"^\S+m\.safetensors: "
"""How every refusal begins."""


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    file = tmp_path / "m.safetensors"
    save_model(file, saved("rnn", words=("a",), embedding_size=1, hidden_sizes=(1,), tied=True))
    return file


def test_every_flipped_byte_is_noticed(small_file):
    data = small_file.read_bytes()
    for at in range(len(data)):
        small_file.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        with pytest.raises(ModelFileError, match=NAMED):
            load_model(small_file)


def test_every_truncation_and_trailing_junk_is_noticed(small_file):
    data = small_file.read_bytes()
    for end in range(len(data)):
        small_file.write_bytes(data[:end])
        with pytest.raises(ModelFileError, match=NAMED):
            load_model(small_file)
    small_file.write_bytes(data + b"\0")
    with pytest.raises(ModelFileError, match=NAMED):
        load_model(small_file)


def test_a_newer_format_is_refused_by_number(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "FORMAT", 8)
    save_model(tmp_path / "m.safetensors", saved())
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match=r"format 8; this version reads up to 7\. Upgrade"):
        load_model(tmp_path / "m.safetensors")


# The log-probability of "a b e" that the writing version gave; format 6 has bands.
OLDER = {**dict.fromkeys((1, 2, 3, 4, 5), -7.6095603704452515), 6: -7.953101754188538}


@pytest.mark.parametrize("number", range(1, container.FORMAT))
def test_every_older_format_still_loads(number):
    file = Path(__file__).parent / "formats" / f"format-{number}.safetensors"
    log_prob = LanguageModel.of(load_model(file)).score("a b e").log_prob
    assert log_prob == pytest.approx(OLDER[number], abs=1e-5)


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def sealed(document: dict[str, object]) -> bytes:
    return save_tensors({"x": torch.zeros(1)}, {"langmodel": json.dumps(document)})


@pytest.mark.parametrize(
    "make",
    [
        lambda tmp: pickle.dumps(Bomb(tmp / "exploded")),
        lambda tmp: b"",
        lambda tmp: save_tensors({"x": torch.zeros(1)}),
        lambda tmp: struct.pack("<Q", 2**60) + b"{}",
        lambda tmp: struct.pack("<Q", 2) + b"[]",
        lambda tmp: save_tensors({"x": torch.zeros(1)}, {"langmodel": "[" * 99999}),
        lambda tmp: sealed({"format": container.FORMAT, "sha256": 5}),
        lambda tmp: sealed({"format": container.FORMAT, "sha256": ""}),
        lambda tmp: sealed({"format": "2", "sha256": "0" * 64}),
    ],
)
def test_foreign_files_are_refused_and_never_run(tmp_path, make):
    file = tmp_path / "m.safetensors"
    file.write_bytes(make(tmp_path))
    with pytest.raises(ModelFileError, match=NAMED):
        load_model(file)
    assert not (tmp_path / "exploded").exists()


def forge(tmp_path: Path, change) -> Path:
    """A file with a good checksum over a changed document or changed tensors."""
    file = tmp_path / "m.safetensors"
    save_model(file, saved())
    data = file.read_bytes()
    document = container.read_document(file, data)
    tensors = container.read_tensors(file, data)
    change(document, tensors)
    document.pop("sha256")
    document.pop("format")
    file.write_bytes(container.pack(tensors, document))
    return file


def _set(path: str, value: object):
    def change(document, tensors):
        *way, last = path.split("/")
        for part in way:
            document = document[part]
        document[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("architecture/hidden_sizes", [2**19] * 60),
        _set("architecture/hidden_sizes", "large"),
        _set("architecture/vocabulary_size", 9),
        _set("architecture/cell", "transformer"),
        _set("architecture/bias", "much"),
        _set("architecture/dropout", 0.1),
        _set("architecture", []),
        _set("vocabulary/words", ["a", "a", "b", "c", "d"]),
        _set("vocabulary/words", [1, 2, 3, 4, 5]),
        _set("vocabulary/words", ["a"]),
        _set("pipeline/tokenizer", "os.system"),
        _set("context", "paragraph"),
        _set("provenance", 3),
        _set("training", 3),
        lambda document, tensors: document.pop("vocabulary"),
        lambda document, tensors: tensors.pop("model.embedding"),
        lambda document, tensors: tensors.update({"model.extra": torch.zeros(2)}),
        lambda document, tensors: tensors.update({"model.embedding": torch.zeros(2, 2)}),
        lambda document, tensors: tensors.update({"model.output_bias": torch.zeros(8, dtype=torch.float64)}),
        lambda document, tensors: tensors["model.output_bias"].fill_(float("nan")),
    ],
)
def test_a_well_sealed_file_at_odds_with_itself_is_refused(tmp_path, change):
    with pytest.raises(ModelFileError, match=r"m\.safetensors"):
        load_model(forge(tmp_path, change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda tensors: tensors.pop("model.embedding"), "tensor 'embedding' is missing"),
        (lambda tensors: tensors.update({"model.x": torch.zeros(2)}), "tensor 'x' is not part of"),
    ],
)
def test_a_tensor_too_few_or_too_many_is_named(tmp_path, change, says):
    with pytest.raises(ModelFileError, match=says):
        load_model(forge(tmp_path, lambda document, tensors: change(tensors)))


def test_a_document_in_another_order_gives_the_same_bytes_and_numbers_must_be_finite():
    tensors = {"x": torch.ones(1)}
    assert container.pack(tensors, {"a": 1, "z": 2}) == container.pack(tensors, {"z": 2, "a": 1})
    with pytest.raises(ValueError, match="JSON"):
        container.pack(tensors, {"a": float("nan")})


def test_the_file_before_is_kept_under_another_name(tmp_path):
    file, kept = tmp_path / LAST, tmp_path / PREVIOUS
    for step in range(3):
        save_model(file, replace(saved(), provenance={"step": step}), keep_as=kept)
    assert (load_model(file).provenance, load_model(kept).provenance) == ({"step": 2}, {"step": 1})


def test_an_unchanged_forgery_loads(tmp_path):
    assert load_model(forge(tmp_path, lambda document, tensors: None)).context == "document"


def test_a_run_directory_means_its_best_model(tmp_path):
    with pytest.raises(ModelFileError, match=r"best.safetensors"):
        model_path(tmp_path)
    (tmp_path / "last.safetensors").touch()
    assert model_path(tmp_path).name == "last.safetensors"
    (tmp_path / "best.safetensors").touch()
    assert model_path(tmp_path).name == "best.safetensors"


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelFileError, match="no such model file"):
        load_model(tmp_path / "none.safetensors")


def test_words_of_any_script_survive(tmp_path):
    words = ("日本", "\u202eabc", "e\u0301", "\u2028", '"sha256": "', "\U0001f469‍\U0001f4bb")
    model = saved(words=words)
    save_model(tmp_path / "m", replace(model, pipeline=Pipeline(tokenizer="character", sentences="line")))
    assert load_model(tmp_path / "m").vocabulary.words == words


def test_two_processes_cannot_train_in_one_directory(tmp_path):
    code = (
        "from pathlib import Path; import sys\n"
        "from langmodel.storage.atomic import locked_directory\n"
        "with locked_directory(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "in\n"
        with (
            pytest.raises(InputError, match=f"process {other.pid} is training here"),
            locked_directory(tmp_path),
        ):
            pass
    finally:
        other.kill()
        other.communicate()
    with locked_directory(tmp_path):  # the lock died with its owner
        pass


def test_stale_temporaries_are_swept_under_the_lock(tmp_path):
    (tmp_path / ".writing-abc").write_bytes(b"half")
    with locked_directory(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_the_header_is_plain_json_that_other_programs_can_read(small_file):
    data = small_file.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["langmodel"])["vocabulary"]["words"] == ["a"]


def test_a_lock_that_is_a_link_or_no_file_is_refused_and_what_it_points_to_stays(tmp_path):
    (tmp_path / "victim").write_text("dear")
    (tmp_path / "run").mkdir()
    lock = tmp_path / "run" / ".lock"
    lock.symlink_to(tmp_path / "victim")
    with pytest.raises(InputError, match="cannot be written"), locked_directory(tmp_path / "run"):
        pass
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(InputError, match="not a regular file"), locked_directory(tmp_path / "run"):
        pass
    assert (tmp_path / "victim").read_text() == "dear"


def test_a_huge_header_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "MAX_HEADER_BYTES", 1_000)
    save_model(tmp_path / "m.safetensors", saved())
    with pytest.raises(ModelFileError, match="not a model file, or cut short"):
        load_model(tmp_path / "m.safetensors")


def test_words_take_their_own_bytes_whatever_their_script(tmp_path):
    words = [f"слово{n}" for n in range(1_000)]
    save_model(tmp_path / "m.safetensors", saved("rnn", words=words))
    assert load_model(tmp_path / "m.safetensors").vocabulary.words == tuple(words)
    header = int.from_bytes((tmp_path / "m.safetensors").read_bytes()[:8], "little")
    assert header < 1_500 + sum(len(word.encode()) + len('\\"\\", ') + len("999, ") for word in words)


def test_what_could_not_be_read_again_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "MAX_DOCUMENT_BYTES", 10_000)
    few, many = saved(words=["x" * n for n in range(1, 50)]), saved(words=["y" * 10_000])
    refuse_what_does_not_fit(few.vocabulary, few.pipeline)
    save_model(tmp_path / "few.safetensors", few)
    with pytest.raises(LangModelError, match="smaller --vocabulary-size"):
        refuse_what_does_not_fit(many.vocabulary, many.pipeline)
    with pytest.raises(LangModelError, match="smaller --vocabulary-size"):
        save_model(tmp_path / "many.safetensors", many)
    assert not (tmp_path / "many.safetensors").exists()


@pytest.mark.skipif(atomic.fcntl is None, reason="needs advisory locks")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EWOULDBLOCK])
def test_where_a_file_system_has_no_locks_there_are_none(tmp_path, monkeypatch, number):
    class Locks:
        LOCK_EX = LOCK_NB = 0

        @staticmethod
        def flock(handle: int, operation: int) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic, "fcntl", Locks)
    if number == errno.EWOULDBLOCK:
        with pytest.raises(InputError, match="is training here"), locked_directory(tmp_path):
            pass
    else:
        with locked_directory(tmp_path):
            pass


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_the_file_before_is_copied_where_there_are_no_hard_links(tmp_path, monkeypatch, number):
    class Linkless:
        def __getattr__(self, name: str) -> object:
            return no_link if name == "link" else getattr(os, name)

    def no_link(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic, "os", Linkless())
    for text in (b"one", b"two"):
        atomic.write_atomically(tmp_path / "f", text, keep_as=tmp_path / "kept")
    assert ((tmp_path / "f").read_bytes(), (tmp_path / "kept").read_bytes()) == (b"two", b"one")


METRICS_ROW = {"step": 1, "tokens": 5, "train_perplexity": 2.5, "valid_perplexity": None}


@pytest.mark.parametrize(
    "spoilt",
    [
        b"\xff\xfe",
        b'{"step": "x"}',
        b"[1]",
        b"null",
        b'{"step": 2',
        b"[" * 99_999,
        b"\x00\x00",
        b'{"step": 2, "tokens": 5, "train_perplexity": 2.5}',
    ],
)
def test_a_spoilt_row_of_metrics_costs_that_row_alone(tmp_path, spoilt):
    rows = [{**METRICS_ROW, "step": step} for step in (1, 2, 3)]
    lines = [json.dumps(row).encode() for row in rows]
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join([lines[0], spoilt, lines[1], lines[2], b""]))
    assert read_metrics(tmp_path) == rows
    cut_metrics(tmp_path, 2)
    assert read_metrics(tmp_path) == rows[:2]
    append_metrics(tmp_path, rows[2])
    assert read_metrics(tmp_path) == rows


def seal(header: dict[str, object], document: dict[str, object], payload: bytes) -> bytes:
    """A file with a good checksum, whatever it holds."""
    text = json.dumps({"format": container.FORMAT, "sha256": container.BLANK_DIGEST, **document})
    head = json.dumps({"__metadata__": {container.KEY: text}, **header}).encode()
    data = struct.pack("<Q", len(head)) + head + payload
    digest = hashlib.sha256(data).hexdigest().encode()
    return data.replace(container.BLANK_DIGEST.encode(), digest, 1)


def test_a_sealed_file_with_impossible_tensors_is_refused_by_name(small_file):
    document = container.read_document(small_file, small_file.read_bytes())
    document.pop("sha256")
    tensor = {"dtype": "F32", "shape": [3], "data_offsets": [0, 999]}
    small_file.write_bytes(seal({"model.embedding": tensor}, document, b"1234"))
    with pytest.raises(ModelFileError, match=NAMED + "damaged"):
        load_model(small_file)


def test_a_file_with_its_checksum_in_two_places_is_refused_by_name(small_file):
    twice = seal({}, {"provenance": {"sha256": container.BLANK_DIGEST}}, b"")
    (digest,) = set(re.findall(rb"[0-9a-f]{64}", twice)) - {container.BLANK_DIGEST.encode()}
    small_file.write_bytes(twice.replace(container.BLANK_DIGEST.encode(), digest))
    with pytest.raises(ModelFileError, match=NAMED + "damaged"):
        load_model(small_file)


def test_a_file_that_the_system_will_not_read_is_named(small_file, monkeypatch):
    def refuse(path: Path, mode: str) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ModelFileError, match=NAMED + "cannot be read .Permission denied"):
        load_model(small_file)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def places(value: object, way: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The way to every value inside a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way, *(place for key, part in inside for place in places(part, (*way, key)))][0 if way else 1 :]


@settings(max_examples=150)
@given(st.data())
def test_a_well_sealed_document_with_anything_in_it_gives_a_model_or_a_clear_refusal(tmp_path_factory, data):
    """Past the checksum, which stops all other mutations."""
    folder = tmp_path_factory.mktemp("sealed")

    def change(document, tensors):
        way = data.draw(st.sampled_from(places(document)))
        for key in way[:-1]:
            document = document[key]
        document[way[-1]] = data.draw(JSON_VALUES)

    try:
        load_model(forge(folder, change))
    except LangModelError as error:
        assert "m.safetensors" in str(error)


def test_a_file_longer_than_what_is_read_back_at_a_time_is_written_plainly_and_not_executable(tmp_path):
    data = bytes(range(256)) * (atomic.READ_BYTES // 100)
    atomic.write_atomically(tmp_path / "f", data)
    assert (tmp_path / "f").read_bytes() == data
    assert not (tmp_path / "f").stat().st_mode & 0o111


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tmp_path):
    (tmp_path / "victim").write_text("dear")
    temporary = tmp_path / f"{atomic.TEMPORARY_PREFIX}{os.getpid()}-f"
    temporary.symlink_to(tmp_path / "victim")
    with pytest.raises(LangModelError, match=r"f: cannot be written .+; what was there before is intact"):
        atomic.write_atomically(tmp_path / "f", b"new")
    assert (tmp_path / "victim").read_text() == "dear"
