"""A corpus directory appears whole or not at all, whatever happens to its writer."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from langmodel.errors import CorpusError
from langmodel.text import corpus_directory, encoding, pieces
from langmodel.text.corpus import Corpus, SplitStatistics, open_corpus
from langmodel.text.corpus_directory import appearing_whole, kept_pieces
from langmodel.text.preprocess import PreprocessConfig, preprocess

PLAIN = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0, test_fraction=0)

needs_locks = pytest.mark.skipif(corpus_directory.fcntl is None, reason="needs advisory locks")


def prepare(tmp_path: Path, text: str) -> Corpus:
    source = tmp_path / "source.txt"
    source.write_text(text, encoding="utf-8")
    return preprocess([str(source)], tmp_path / "corpus", PLAIN)


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def words(tmp_path: Path) -> tuple[str, ...]:
    return open_corpus(tmp_path / "corpus").vocabulary.words


@pytest.fixture
def writer(tmp_path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that prepares the same corpus and waits for the rest of its text."""
    settings = "--tokenizer whitespace --sentences line --valid-fraction 0 --test-fraction 0 --workers 1"
    command = [sys.executable, "-m", "langmodel", "preprocess", "-", "-o", "corpus", *settings.split()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        process.stdin.write(b"slow text\n")
        process.stdin.flush()
        while process.poll() is None and not any(tmp_path.glob(".corpus.*/*")):
            os.sched_yield()
        yield process
        process.kill()


@needs_locks
def test_what_a_killed_writer_left_is_swept_by_the_next(tmp_path, writer):
    writer.kill()
    writer.wait()
    assert list(tmp_path.glob(".corpus.*"))
    prepare(tmp_path, "next text\n")
    assert names(tmp_path) == {"corpus", "source.txt"}


@needs_locks
def test_what_a_living_writer_makes_is_left_alone(tmp_path, writer):
    prepare(tmp_path, "quick text\n")
    assert words(tmp_path) == ("quick", "text")
    _, said = writer.communicate(b"and its end\n")
    assert writer.returncode == 0, said
    assert words(tmp_path) == ("and", "end", "its", "slow", "text")
    assert names(tmp_path) == {"corpus", "source.txt"}


@needs_locks
def test_a_corpus_that_a_killed_writer_had_put_aside_comes_back(tmp_path):
    before = contents(prepare(tmp_path, "good text\n").path)
    child = os.fork()
    if not child:
        rename = Path.rename

        def die_after_the_first(path: Path, target: Path) -> None:
            rename(path, target)
            os._exit(9)

        Path.rename = die_after_the_first
        prepare(tmp_path, "other text\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not (tmp_path / "corpus").exists()
    with pytest.raises(CorpusError, match="no words"):
        prepare(tmp_path, "\n")
    assert contents(tmp_path / "corpus") == before
    assert names(tmp_path) == {"corpus", "source.txt"}


def test_a_writer_that_is_interrupted_between_its_renames_puts_the_older_corpus_back(tmp_path, monkeypatch):
    before = contents(prepare(tmp_path, "good text\n").path)
    rename = Path.rename

    def interrupted(path: Path, target: Path) -> None:
        if target.name == "corpus" and not path.name.endswith(corpus_directory.REPLACED):
            raise KeyboardInterrupt
        rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path, "other text\n")
    assert contents(tmp_path / "corpus") == before
    assert names(tmp_path) == {"corpus", "source.txt"}


def test_directories_that_only_look_like_leftovers_stay(tmp_path):
    for name in (".corpus.writing", ".corpus.backup", ".other.writing-abc", ".corpus.writing-a.b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine").write_text("mine")
    with appearing_whole(tmp_path / "corpus") as folder:
        (folder / "corpus.json").write_text("{}")
    assert len(list(tmp_path.glob(".*/mine"))) == 4


def test_nothing_is_left_behind_and_nothing_destroyed_when_the_text_is_bad(tmp_path):
    prepare(tmp_path, "good text\n")
    before = contents(tmp_path / "corpus")
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"fine\n\xff\n")
    with pytest.raises(CorpusError):
        preprocess([str(bad)], tmp_path / "corpus", PLAIN)
    assert contents(tmp_path / "corpus") == before
    assert names(tmp_path) == {"bad.txt", "corpus", "source.txt"}


def test_a_corpus_directory_with_other_files_is_not_replaced(tmp_path):
    corpus = prepare(tmp_path, "some text\n")
    (corpus.path / "best.safetensors").write_bytes(b"precious")
    with pytest.raises(CorpusError, match=r"also holds best\.safetensors"):
        prepare(tmp_path, "other text\n")
    assert (corpus.path / "best.safetensors").read_bytes() == b"precious"


def test_a_directory_that_is_no_corpus_is_not_replaced(tmp_path):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "diary.txt").write_text("mine")
    with pytest.raises(CorpusError, match="not a corpus"):
        prepare(tmp_path, "text\n")
    assert (tmp_path / "corpus" / "diary.txt").read_text() == "mine"


def test_a_link_to_a_corpus_is_followed(tmp_path):
    corpus = prepare(tmp_path, "some text\n")
    (tmp_path / "link").symlink_to(corpus.path)
    again = preprocess([str(tmp_path / "source.txt")], tmp_path / "link", replace(PLAIN, case="lower"))
    assert again.path == tmp_path / "link"
    assert (tmp_path / "link").is_symlink()
    assert open_corpus(corpus.path).pipeline.case == "lower"
    assert names(tmp_path) == {"corpus", "link", "source.txt"}


def test_a_folder_that_a_writer_may_just_have_made_is_left_and_an_old_empty_one_swept(tmp_path):
    young, old = tmp_path / ".corpus.writing-young", tmp_path / ".corpus.writing-old"
    for folder in (young, old):
        folder.mkdir()
    long_ago = time.time() - 3_600
    os.utime(old, (long_ago, long_ago))
    (tmp_path / "source.txt").write_text("a b c\n")
    preprocess([str(tmp_path / "source.txt")], tmp_path / "corpus", PLAIN)
    assert young.exists()
    assert not old.exists()


@pytest.mark.parametrize("length", [200, 234, 237, 250])
def test_long_names_of_corpora_can_be_made_and_made_again(tmp_path, length):
    (tmp_path / "source.txt").write_text("a b c\n")
    output = tmp_path / ("c" * length)
    for _ in range(2):
        assert preprocess([str(tmp_path / "source.txt")], output, PLAIN).path == output
    assert sorted(file.name for file in tmp_path.iterdir()) == [output.name, "source.txt"]


LONG = "".join(f"the cat sat and word{n} ran\n" for n in range(4_000))


@pytest.fixture
def stopped(tmp_path, monkeypatch) -> dict[str, bytes]:
    """A stopped preprocess of LONG has left its pieces; the files of one that was not stopped."""
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 2**14)
    source = tmp_path / "source.txt"
    source.write_text(LONG)
    expected = contents(preprocess([str(source)], tmp_path / "whole", PLAIN).path)
    tokens = 0

    def stop_in_the_middle(more: int) -> None:
        nonlocal tokens
        tokens += more
        if tokens > 10_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preprocess([str(source)], tmp_path / "corpus", PLAIN, on_tokens=stop_in_the_middle)
    assert not (tmp_path / "corpus").exists()
    assert kept_pieces(tmp_path / "corpus") > 2
    return expected


@needs_locks
def test_a_stopped_preprocess_goes_on_from_its_finished_pieces(tmp_path, stopped, monkeypatch):
    encoded = []
    encode = encoding._encode
    monkeypatch.setattr(encoding, "_encode", lambda *args: encoded.append(1) or encode(*args))
    notes: list[str] = []
    source = str(tmp_path / "source.txt")
    made = preprocess([source], tmp_path / "corpus", PLAIN, resume=True, on_note=notes.append)
    assert contents(made.path) == stopped
    assert 0 < len(encoded) < len(made.shards("train"))
    assert any("pieces of the text were finished by an earlier run" in note for note in notes)
    assert names(tmp_path) == {"corpus", "source.txt", "whole"}


@needs_locks
def test_finished_pieces_are_used_for_the_same_text_and_settings_alone(tmp_path, stopped):
    other = replace(PLAIN, case="lower")
    source = tmp_path / "source.txt"
    notes: list[str] = []
    source.write_text(LONG.upper())
    preprocess([str(source)], tmp_path / "corpus", other, resume=True, on_note=notes.append)
    assert not any("finished by an earlier run" in note for note in notes)
    assert "CAT" not in open_corpus(tmp_path / "corpus").vocabulary.words


@pytest.mark.parametrize("value", [-1, 2.0, True, None, "7"])
def test_statistics_are_counts(value):
    with pytest.raises(ValueError, match="malformed"):
        SplitStatistics(documents=1, sentences=1, tokens=1, unknown=value, longest_sentence=1, sha256="")


@needs_locks
def test_without_resume_what_a_stopped_preprocess_left_is_swept(tmp_path, stopped):
    made = preprocess([str(tmp_path / "source.txt")], tmp_path / "corpus", PLAIN)
    assert contents(made.path) == stopped
    assert names(tmp_path) == {"corpus", "source.txt", "whole"}


def test_bad_text_leaves_no_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 2**14)
    (tmp_path / "bad.txt").write_bytes(LONG.encode() + b"\xff\n")
    with pytest.raises(CorpusError, match="not UTF-8"):
        preprocess([str(tmp_path / "bad.txt")], tmp_path / "corpus", PLAIN)
    assert names(tmp_path) == {"bad.txt"}


def test_a_damaged_shard_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 2**14)
    corpus = prepare(tmp_path, LONG)
    shards = corpus.shards("train")
    assert sum(ids for ids, _ in shards) == corpus.statistics["train"].targets
    file = corpus.path / "train.npy"
    data = bytearray(file.read_bytes())
    place = 2 * (shards[0][0] + 5)
    data[-len(corpus.split("train")) * 2 + place] ^= 1
    file.write_bytes(data)
    with pytest.raises(CorpusError, match=f"first in shard 2: ids {shards[0][0]:,} to"):
        corpus.split("train")
    for malformed in ("[", '{"train": [[Infinity, "a"]]}', '{"train": [[-1, "a"]]}', '{"train": 3}', "[]"):
        (corpus.path / "shards.json").write_text(malformed)
        assert corpus.shards("train") == []
    (corpus.path / "shards.json").unlink()  # as in corpora of older versions
    with pytest.raises(CorpusError, match=r"damaged \(its checksum does not match\)"):
        corpus.split("train")


@pytest.mark.parametrize(
    "change",
    [lambda ids: ids.astype("<u4"), lambda ids: ids[:-1], lambda ids: ids[:, None]],
    ids=["type", "length", "shape"],
)
def test_a_split_of_another_type_or_shape_is_refused(tmp_path, change):
    corpus = prepare(tmp_path, "good text\n")
    np.save(corpus.path / "train.npy", change(np.array(corpus.split("train"))))
    with pytest.raises(CorpusError, match=r"corpus\.json says 3 ids"):
        corpus.split("train")


def parts_of(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob(".corpus.writing-*/parts/*"))


@needs_locks
def test_a_corpus_that_is_not_there_can_be_asked_for_without_losing_its_pieces(tmp_path, stopped):
    before = kept_pieces(tmp_path / "corpus")
    with pytest.raises(CorpusError, match="not a corpus directory"):
        open_corpus(tmp_path / "corpus")
    assert kept_pieces(tmp_path / "corpus") == before


@needs_locks
def test_a_mistake_with_resume_loses_no_pieces(tmp_path, stopped):
    before = kept_pieces(tmp_path / "corpus")
    with pytest.raises(CorpusError, match="no such file"):
        preprocess([str(tmp_path / "sorce.txt")], tmp_path / "corpus", PLAIN, resume=True)
    assert kept_pieces(tmp_path / "corpus") == before


@needs_locks
@pytest.mark.parametrize("kind", [".ids", ".types", ".npz"])
@pytest.mark.parametrize("damage", ["shorter", "empty", "gone"])
def test_a_piece_that_was_not_written_whole_is_made_again(tmp_path, stopped, kind, damage):
    file = next(path for path in parts_of(tmp_path) if path.suffix == kind)
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100] if damage == "shorter" else b"")
    made = preprocess([str(tmp_path / "source.txt")], tmp_path / "corpus", PLAIN, resume=True)
    assert contents(made.path) == stopped


@needs_locks
def test_a_writer_stopped_in_the_middle_of_a_piece_leaves_none_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 2**14)
    (tmp_path / "source.txt").write_text(LONG)
    expected = contents(preprocess([str(tmp_path / "source.txt")], tmp_path / "whole", PLAIN).path)
    write, calls = np.lib.format.write_array, []

    def stopping(*arguments: object, **more: object) -> None:
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        write(*arguments, **more)

    monkeypatch.setattr(np.lib.format, "write_array", stopping)
    with pytest.raises(KeyboardInterrupt):
        preprocess([str(tmp_path / "source.txt")], tmp_path / "corpus", PLAIN)
    assert kept_pieces(tmp_path / "corpus") == 1
    made = preprocess([str(tmp_path / "source.txt")], tmp_path / "corpus", PLAIN, resume=True)
    assert contents(made.path) == expected


@needs_locks
def test_a_changed_tokenizer_of_one_s_own_makes_its_pieces_again(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 2**14)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LANGMODEL_TOKENIZER", "cutter_of_mine:split")
    module = tmp_path / "cutter_of_mine.py"
    (tmp_path / "source.txt").write_text(LONG)
    config = replace(PLAIN, tokenizer="cutter_of_mine:split")
    counted: list[int] = []

    def stop(more: int) -> None:
        counted.append(more)
        if len(counted) == 3:
            raise KeyboardInterrupt

    module.write_text("def split(sentence):\n    return sentence.split()\n")
    with pytest.raises(KeyboardInterrupt):
        preprocess([str(tmp_path / "source.txt")], tmp_path / "corpus", config, on_tokens=stop)
    module.write_text("def split(sentence):\n    return sentence[::-1].split()\n")
    encoding._software.cache_clear()  # another process
    notes: list[str] = []
    preprocess([str(tmp_path / "source.txt")], tmp_path / "corpus", config, resume=True, on_note=notes.append)
    assert not any("earlier run" in note for note in notes)


def test_what_came_to_the_place_of_the_corpus_meanwhile_is_not_replaced(tmp_path):
    (tmp_path / "source.txt").write_text("good text\n")

    def somebody_else(_: int) -> None:
        (tmp_path / "corpus").mkdir()
        (tmp_path / "corpus" / "diary.txt").write_text("precious")

    with pytest.raises(CorpusError, match="not a corpus"):
        preprocess([str(tmp_path / "source.txt")], tmp_path / "corpus", PLAIN, on_tokens=somebody_else)
    assert (tmp_path / "corpus" / "diary.txt").read_text() == "precious"


@needs_locks
def test_two_writers_of_one_corpus_do_not_disturb_each_other(tmp_path):
    (tmp_path / "source.txt").write_text("good text\n")
    (tmp_path / ".corpus.writing-notes").write_text("a file of somebody's own")
    program = (
        "from pathlib import Path; from langmodel.text.preprocess import *;"
        "config = PreprocessConfig(tokenizer='whitespace', sentences='line', valid_fraction=0);"
        "[preprocess(['source.txt'], Path('corpus'), config) for _ in range(40)]"
    )
    command = [sys.executable, "-c", program]
    writers = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) for _ in range(2)]
    said = [writer.communicate()[1].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], said
    assert names(tmp_path) == {"corpus", "source.txt", ".corpus.writing-notes"}
