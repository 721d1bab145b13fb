"""Sources are cut into pieces that any process can read: together they are the text."""

import gzip
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import POEM
from hypothesis import given, settings
from hypothesis import strategies as st

from langmodel.errors import CorpusError
from langmodel.text import decoding, encoding, pieces
from langmodel.text import sections as sections_module
from langmodel.text.paragraphs import Layout, passages
from langmodel.text.pieces import Cutter
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.sections import open_section, sections
from langmodel.text.sources import Reading, read_documents
from langmodel.text.watching import TextWatch

READING = Reading(squeezed=True)


def cut(sources: list[Path], sentences: str = "punkt", reading: Reading = READING) -> list[pieces.Piece]:
    return list(Cutter(reading, sentences, TextWatch(reading)).pieces([str(source) for source in sources]))


def texts(cut_pieces: list[pieces.Piece], sentences: str = "punkt") -> list[tuple[int, str]]:
    return [pair for piece in cut_pieces for pair in piece.passages(READING, sentences)]


def read_whole(sources: list[Path], sentences: str = "punkt") -> list[tuple[int, str]]:
    documents = (document for source in sources for document in read_documents(str(source), READING))
    return [(n, text) for n, document in enumerate(documents) for text in passages(document.lines, sentences)]


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 400)
    monkeypatch.setattr(decoding, "BLOCK_BYTES", 64)


PROSE = {
    "blank lines": "".join(f"{POEM}\n" for _ in range(30)),
    "many blank lines": "".join(f"{POEM}\n\n\n\n \n" for _ in range(30)),
    "a paragraph per line": POEM.replace("\n", " \n") * 30,
    "CRLF": "".join(f"{POEM}\n" for _ in range(30)).replace("\n", "\r\n"),
    "one huge paragraph": POEM * 60,
    "other line ends": "one\rtwo\x85three\u2028four\n" * 100,
    "not ASCII": "Zwölf Boxkämpfer jagen Viktor.\n\nÜber den Sylter Deich 。\n" * 60,
}


@pytest.mark.parametrize("sentences", ["punkt", "line"])
@pytest.mark.parametrize("kind", PROSE)
def test_pieces_of_a_long_file_are_its_passages(tmp_path, small_pieces, kind, sentences):
    file = tmp_path / "text.txt"
    file.write_bytes(PROSE[kind].encode())
    found = cut([file], sentences)
    assert texts(found, sentences) == read_whole([file], sentences)
    if kind != "one huge paragraph" or sentences == "line":
        assert len(found) > 2


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab .\n\n\r\u2028é", max_size=300), st.integers(1, 60), st.sampled_from(Layout))
def test_sections_of_any_length_are_the_file(tmp_path_factory, text, step, layout):
    if layout is Layout.WRAPPED:
        return
    file = tmp_path_factory.mktemp("section") / "text.txt"
    data = text.encode()
    file.write_bytes(data)
    read = []
    for section in sections(file, len(data), step, layout):
        with open_section(file, section) as (stream, before):
            part = stream.read(1_000)
            assert data[: before.bytes].count(b"\n") == before.lines()
        if before.bytes:
            assert data[: before.bytes].endswith(b"\n")
            assert layout is Layout.LINES or not data[: before.bytes - 1].rpartition(b"\n")[2].strip()
        read.append(part)
    assert b"".join(read) == data
    assert all(len(part) >= step for part in read[:-1])


def test_small_files_and_rows_share_a_piece_and_keep_their_documents(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text(POEM)
    (folder / "rows.csv").write_text("text\none row\nanother row\n")
    found = cut([folder])
    assert len(found) == 1
    assert texts(found) == read_whole([folder])
    assert {document for document, _ in texts(found)} == set(range(7))


def test_many_compressed_files_are_read_where_they_are_encoded(tmp_path):
    files = [tmp_path / f"{number}.txt.gz" for number in range(4)]
    for file in files:
        file.write_bytes(gzip.compress(POEM.encode()))
    assert all(isinstance(part, pieces.FilePart) for piece in cut(files) for part in piece.parts)
    assert all(isinstance(part, pieces.ReadPart) for piece in cut(files[:2]) for part in piece.parts)
    assert texts(cut(files)) == read_whole(files)


def test_what_the_workers_cannot_see_is_read_here(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(POEM)
    cutter = Cutter(READING, "punkt", TextWatch(READING), is_visible=lambda path: False)
    found = list(cutter.pieces([str(file)]))
    file.unlink()
    assert texts(found)


def test_a_place_is_named_as_if_the_file_were_read_whole(tmp_path, small_pieces):
    file = tmp_path / "text.txt"
    file.write_bytes(b"a fine line\n" * 100 + b"a bad \xff line\n" + b"a fine line\n" * 100)
    with pytest.raises(CorpusError, match="not UTF-8 at byte 1206, line 101"):
        texts(cut([file], "line"), "line")
    file.write_bytes(b"a fine line\n" * 100 + b"a bad \0 line\n")
    with pytest.raises(CorpusError, match="a NUL byte at byte 1206, line 101"):
        texts(cut([file], "line"), "line")


def test_a_file_that_changes_or_goes_while_it_is_read_is_one_line(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(POEM)
    found = cut([file])
    file.write_text(POEM * 2)
    with pytest.raises(CorpusError, match="do not change a text while it is read"):
        texts(found)
    file.unlink()
    with pytest.raises(CorpusError, match=r"text\.txt: cannot be read on .*No such file"):
        texts(found)


CORPORA: dict[str, Callable[[Path], dict]] = {
    "a file": lambda folder: {"sources": ["text.txt"]},
    "documents": lambda folder: {"sources": ["text.txt", "rows.csv", "text.txt"], "split_by": "document"},
    "its own splits": lambda folder: {"sources": ["text.txt"], "valid": "rows.csv", "test": "text.txt"},
    "lines": lambda folder: {
        "sources": ["text.txt", "rows.csv"],
        "sentences": "line",
        "tokenizer": "whitespace",
    },
}


@pytest.mark.parametrize("kind", CORPORA)
def test_how_the_text_is_cut_and_who_encodes_it_changes_no_byte(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("".join(f"{POEM}The word{n % 50} sat.\n\n" for n in range(100)))
    Path("rows.csv").write_text("text\n" + "".join(f"a row of word{n}\n" for n in range(60)))
    what = CORPORA[kind](tmp_path)
    sources = what.pop("sources")
    named = {split: what.pop(split) for split in ("valid", "test") if split in what}
    config = PreprocessConfig(**what)

    def written(name: str, **more: object) -> dict[str, bytes]:
        made = preprocess(sources, Path(name), config, **named, **more).path
        return {file.name: file.read_bytes() for file in made.iterdir() if file.name != "shards.json"}

    expected = written("whole")
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 900)
    monkeypatch.setattr(encoding, "IDS_AT_ONCE", 50)
    assert written("cut") == expected
    with ThreadPoolExecutor(2) as executor:
        assert written("shared", executor=executor) == expected


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("name", "content"), [("empty.txt", ""), ("rows.csv", "text\n"), ("blank.txt", "\n\n \n")]
)
def test_sources_without_any_passage_are_one_line(tmp_path, name, content, workers):
    (tmp_path / name).write_text(content)
    with ThreadPoolExecutor(2) as executor, pytest.raises(CorpusError, match="no words to train on"):
        preprocess([str(tmp_path / name)], tmp_path / "c", executor=executor if workers > 1 else None)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_equal_texts_at_two_places_are_two_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "PIECE_CHARACTERS", 100)
    (tmp_path / "rows.csv").write_text("text\n" + "the cat sat on the mat\n" * 200)
    notes: list[str] = []
    preprocess([str(tmp_path / "rows.csv")], tmp_path / "c", on_note=notes.append)
    assert not any("earlier run" in note for note in notes)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
def test_a_pipe_in_a_folder_is_read_once(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "a.txt")
    (folder / "b.txt").write_text("the dog ran\n")
    writer = threading.Thread(target=(folder / "a.txt").write_text, args=["the cat sat\n" * 30])
    writer.start()
    config = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0, test_fraction=0)
    corpus = preprocess([str(folder)], tmp_path / "c", config)
    writer.join()
    assert corpus.statistics["train"].sentences == 31


def test_blank_lines_that_come_late_do_not_slow_the_cuts(tmp_path, monkeypatch):
    """Each byte is searched once, however many cuts would be wanted."""
    file = tmp_path / "text.txt"
    file.write_bytes(b"a line of a long paragraph\n" * 5_000)
    searched = []
    real = sections_module.BLANK_LINE

    class Counting:
        def search(self, window: bytes) -> object:
            searched.append(len(window))
            return real.search(window)

    monkeypatch.setattr(sections_module, "BLANK_LINE", Counting())
    size = file.stat().st_size
    assert len(list(sections(file, size, 1_000, Layout.BLANK_LINES))) == 1
    assert sum(searched) < 1.1 * size


def test_only_what_is_dealt_out_is_watched(tmp_path):
    """A held-out text of its own has no say in what is told of the text to learn from."""
    (tmp_path / "text.txt").write_text(POEM * 20)
    (tmp_path / "french.txt").write_text("l'homme qu'il a vu, c'est l'ami d'elle\n" * 200)

    def notes(**named: str) -> list[str]:
        told: list[str] = []
        preprocess([str(tmp_path / "text.txt")], tmp_path / "c", on_note=told.append, **named)
        return told

    assert not any("elided words" in note for note in notes(valid=str(tmp_path / "french.txt")))
