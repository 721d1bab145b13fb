"""Files made to take memory, time or the terminal: what they may take is held by a child's own peak."""

import gzip
import json
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_model, out, saved_model

from langmodel.cli.main import run
from langmodel.display.reports import rows_as_text
from langmodel.errors import CorpusError, LangModelError, ModelFileError
from langmodel.storage.atomic import write_atomically
from langmodel.storage.container import KEY, pack
from langmodel.storage.model_file import load_model, save_model
from langmodel.storage.run_files import METRICS, read_metrics
from langmodel.text.corpus import open_corpus
from langmodel.text.printable import printable

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="reads a process's peak memory"
)

CHILD = """
import sys
from langmodel.cli.main import run
code = run(sys.argv[1:])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(f"PEAK {code} {int(peak) // 1024}", file=sys.stderr)
"""


def child(folder: Path, *arguments: str) -> tuple[int, int, float, str]:
    """Exit code, peak memory in MB, seconds, and what it said, of a command in a process of its own."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, cwd=folder, timeout=120
    )
    said, _, last = done.stderr.rpartition("PEAK ")
    code, peak = map(int, last.split())
    return code, peak, time.monotonic() - begun, said


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> int:
    """What the program takes to look at a small model, in MB."""
    folder = tmp_path_factory.mktemp("usual")
    save_model(folder / "m.safetensors", saved_model(make_model()))
    return child(folder, "info", "m.safetensors")[1]


def write_header(path: Path, header: bytes, size: int = 0) -> None:
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        if size:
            file.truncate(size)


def test_a_large_file_that_is_no_model_is_not_read(tmp_path, usual):
    (tmp_path / "big.safetensors").write_bytes(b"\xff" * 8)
    with (tmp_path / "big.safetensors").open("r+b") as file:
        file.truncate(3 * 10**9)
    write_header(tmp_path / "sparse.safetensors", b'{"__metadata__":{"langmodel":"{}"}}', 3 * 10**9)
    for name in ("big", "sparse"):
        code, peak, seconds, said = child(tmp_path, "info", f"{name}.safetensors")
        assert code == 2
        assert "not a model file" in said or "damaged" in said
        assert peak < usual + 60
        assert seconds < 20


@pytest.mark.parametrize("kind", ["brackets", "tensors"])
def test_a_header_is_counted_before_it_is_parsed(tmp_path, usual, kind):
    if kind == "brackets":
        header = b'{"x":' + b"[" * (31 * 2**20)
    else:
        entry = '"t%06d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
        header = ("{" + ",".join(entry % n for n in range(400_000)) + "}").encode()
    write_header(tmp_path / "m.safetensors", header)
    code, peak, _, said = child(tmp_path, "info", "m.safetensors")
    assert code == 2
    assert "damaged" in said
    assert peak < usual + 150


def test_lists_of_prefixes_are_bounded(tmp_path, usual):
    save_model(tmp_path / "m.safetensors", saved_model(make_model()))
    with gzip.open(tmp_path / "x.gz", "wb") as file:
        for _ in range(50):
            file.write(b"\n" * 10**6)
    code, peak, seconds, said = child(tmp_path, "sample", "m.safetensors", "-n", "0", "--prefixes", "x.gz")
    assert code == 2
    assert "more than 100,000 lines" in said
    assert peak < usual + 150
    assert seconds < 20


def test_a_row_of_json_is_bounded(tmp_path, usual):
    (tmp_path / "x.jsonl").write_text("[" + "[]," * 15_000_000 + "[]]\n")
    code, peak, _, said = child(tmp_path, "preprocess", "x.jsonl", "-o", "c")
    assert code == 2
    assert "Mi characters of JSON" in said
    assert peak < usual + 350  # the line itself, as bytes and as text


def test_messages_about_wide_tables_stay_short(tmp_path, capsys):
    (tmp_path / "x.csv").write_text(",".join(f"column{n}" for n in range(300_000)) + "\n")
    assert run(["preprocess", str(tmp_path / "x.csv"), "-o", str(tmp_path / "c")]) == 2
    said = capsys.readouterr().err
    assert len(said) < 2_100
    assert "and 299,980 more" in said


def test_a_text_of_blank_lines_is_soon_done(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"\n" * 50_000_000 + b"The end.\n")
    begun = time.monotonic()
    assert run(["preprocess", str(tmp_path / "x.txt"), "-o", str(tmp_path / "c"), "--workers", "1"]) == 0
    assert time.monotonic() - begun < 10


def test_damaged_corpora_and_metrics_are_one_line(poem_corpus, tmp_path):
    words = poem_corpus.path / "vocabulary.json"
    description = json.loads((poem_corpus.path / "corpus.json").read_text())
    kept = words.read_text()
    words.write_text("[]")
    import hashlib

    empty = {**description, "vocabulary_sha256": hashlib.sha256(b"[]").hexdigest()}
    (poem_corpus.path / "corpus.json").write_text(json.dumps(empty))
    with pytest.raises(CorpusError, match="holds no word"):
        open_corpus(poem_corpus.path)
    words.write_text(kept)
    (poem_corpus.path / "corpus.json").write_text(json.dumps(description))
    array = poem_corpus.path / "train.npy"
    data = array.read_bytes()
    length = int.from_bytes(data[8:10], "little")
    shape = f"({10**30 - 1},)".encode()
    header = data[10 : 10 + length].replace(f"({len(np.load(array))},)".encode(), shape).rstrip() + b"\n"
    array.write_bytes(data[:8] + struct.pack("<H", len(header)) + header)
    with pytest.raises(CorpusError, match="cannot be read"):
        open_corpus(poem_corpus.path).split("train")
    row = {"step": 1, "tokens": 10**400, "train_perplexity": 2.0, "valid_perplexity": 2.0}
    (tmp_path / METRICS).write_text(json.dumps(row) + "\n" + json.dumps({**row, "tokens": 5}) + "\n")
    assert [row["tokens"] for row in read_metrics(tmp_path)] == [5]


def test_overflowing_weights_print_json(tmp_path, capsys, monkeypatch):
    lm = make_model()
    with torch.no_grad():
        lm.network.output_bias.copy_(torch.tensor([3e38, -3e38] * 4))
    save_model(tmp_path / "m.safetensors", saved_model(lm))
    monkeypatch.chdir(tmp_path)
    code = run("sample m.safetensors --format jsonl -n 3 --seed 1".split())
    captured = capsys.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in captured.err
    for line in captured.out.splitlines():
        json.loads(line)


HOSTILE = "a\x1b[2J\x9b\nrow\u202e\u2028b"


def test_nothing_foreign_reaches_the_terminal_as_it_is(tmp_path, capsys, monkeypatch):
    assert printable(HOSTILE) == "a\\x1b[2J\\x9b\\nrow\\u202e\\u2028b"
    assert printable("naïve 中 نیم‌فاصله") == "naïve 中 نیم‌فاصله"
    assert rows_as_text([("x", HOSTILE)]).count("\n") == 0
    monkeypatch.chdir(tmp_path)
    lm = make_model(words=("a", HOSTILE, "c"))
    save_model(tmp_path / "m.safetensors", saved_model(lm, provenance={"corpus_sha256": HOSTILE}))
    for command in (
        "info m.safetensors",
        "sample m.safetensors -n 5 --seed 1 --max-length 9",
        "sample m.safetensors -n 5 --seed 1 --format tokens",
    ):
        shown = out(capsys, command)
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    assert len(out(capsys, "sample m.safetensors -n 5 --seed 1").splitlines()) == 5
    assert run(["info", HOSTILE]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_model_file_holds_what_belongs_to_it_and_nothing_else(tmp_path):
    file = tmp_path / "m.safetensors"
    save_model(file, saved_model(make_model()))
    good = file.read_bytes()
    length = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + length])
    document = json.loads(header["__metadata__"][KEY])
    del document["sha256"], document["format"]
    tensors = {f"model.{name}": tensor for name, tensor in load_model(file).network.state_dict().items()}
    file.write_bytes(pack({**tensors, "stray": torch.zeros(1)}, document))
    with pytest.raises(ModelFileError, match="'stray' is not part of a model"):
        load_model(file)
    for change in ({"more": "x"}, {"more": "x", "again": "y"}):
        changed = {**header, "__metadata__": {**header["__metadata__"], **change}}
        text = json.dumps(changed).encode()
        write_header(file, text)
        with file.open("ab") as stream:
            stream.write(good[8 + length :])
        with pytest.raises(ModelFileError, match="damaged"):
            load_model(file)
    twice = good[8 : 8 + length].replace(b'{"__metadata__"', b'{"__metadata__":{},"__metadata__"', 1)
    write_header(file, twice)
    with file.open("ab") as stream:
        stream.write(good[8 + length :])
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(file)


def test_settings_that_contradict_the_network_are_refused(poem_corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sizes = "--embedding-size 8 --hidden-size 8 --batch-size 2 --no-baselines --threads 1 --epochs 1"
    assert run(["train", "corpus", "-o", "r", *sizes.split()]) == 0
    saved = load_model(tmp_path / "r/last.safetensors")
    saved.training.values["config"]["hidden_size"] = [9]
    save_model(tmp_path / "r/last.safetensors", saved)
    capsys.readouterr()
    assert run("train corpus -o r --resume --threads 1".split()) == 2
    assert "contradict each other" in capsys.readouterr().err


def test_a_corpus_put_aside_by_a_killed_writer_is_found(poem_corpus):
    aside = poem_corpus.path.with_name(f".{poem_corpus.path.name}.writing-abc.old")
    poem_corpus.path.rename(aside)
    assert open_corpus(poem_corpus.path).digest == poem_corpus.digest
    assert not aside.exists()


def test_a_directory_that_is_gone_is_not_called_intact(tmp_path):
    with pytest.raises(LangModelError, match="its directory is gone"):
        write_atomically(tmp_path / "gone" / "file", b"x")
