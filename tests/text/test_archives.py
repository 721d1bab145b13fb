import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from langmodel.errors import ConfigError, CorpusError
from langmodel.text import archives
from langmodel.text.preprocess import PreprocessConfig, preprocess
from langmodel.text.sources import Reading, read_documents, splits_by_document

PLAIN = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0, test_fraction=0)


def contents(source: Path, **reading: str) -> dict[str, list[str]]:
    found = read_documents(str(source), Reading(**reading))
    return {Path(document.name).name: list(document.lines) for document in found}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = tmp_path / "reviews"
    (base / "deep" / "er").mkdir(parents=True)
    (base / "b.txt").write_text("two\n")
    (base / "a.txt").write_text("one\n")
    (base / "deep" / "er" / "c.md").write_text("three\n")
    (base / "deep" / "picture.png").write_bytes(b"\x89PNG\0")
    (base / "ca01").write_text("four\n")
    (base / "program").write_bytes(b"\x7fELF\0\0")
    (base / ".hidden.txt").write_text("no\n")
    return base


def test_a_folder_is_read_whole_in_the_order_of_its_paths(folder, caplog):
    assert list(contents(folder).items()) == [
        ("a.txt", ["one"]),
        ("b.txt", ["two"]),
        ("ca01", ["four"]),
        ("c.md", ["three"]),
    ]
    assert "skipped 2 files" in caplog.text
    assert splits_by_document([str(folder)])


def test_a_zip_and_a_tar_read_like_their_folder(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as made:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                made.write(file, file.relative_to(folder))
    with tarfile.open(tmp_path / "r.tar.gz", "w:gz") as made:
        made.add(folder, "r")
    expected = {"a.txt": ["one"], "b.txt": ["two"], "c.md": ["three"], "ca01": ["four"]}
    for name in ("r.zip", "r.tar.gz"):
        assert contents(tmp_path / name) == expected


def test_many_files_given_by_name_are_held_out_whole(tmp_path):
    sources = []
    for n in range(40):
        (tmp_path / f"{n}.txt").write_text(f"d{n} x\n" * 5)
        sources.append(str(tmp_path / f"{n}.txt"))
    config = PreprocessConfig(tokenizer="whitespace", sentences="line", valid_fraction=0.2, test_fraction=0.1)
    corpus = preprocess(sources, tmp_path / "corpus", config)
    documents = {name: corpus.statistics[name].documents for name in ("train", "valid", "test")}
    assert documents == {"train": 28, "valid": 8, "test": 4}


def write_zip(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def test_what_is_wrong_with_an_archive_is_told(tmp_path, monkeypatch):
    outside = tmp_path / "outside.zip"
    with zipfile.ZipFile(outside, "w") as made:
        made.writestr("../../evil.txt", b"x")
    with pytest.raises(CorpusError, match="a path that leaves it"):
        contents(outside)
    with pytest.raises(CorpusError, match=r"no text files.*it holds 1 other files \(x.png"):
        contents(write_zip(tmp_path / "p.zip", **{"x.png": b"x"}))
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 nonsense")
    (tmp_path / "broken.tar.gz").write_bytes(b"nonsense")
    for name in ("broken.zip", "broken.tar.gz"):
        with pytest.raises(CorpusError, match=r"not an archive that can be read|cannot be read"):
            contents(tmp_path / name)
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 1000)
    bomb = write_zip(tmp_path / "bomb.zip", **{"a.txt": b"0" * 2000})
    with pytest.raises(CorpusError, match="unpack it and name the folder"):
        contents(bomb)
    tar = tmp_path / "link.tar"
    with tarfile.open(tar, "w") as made:
        member = tarfile.TarInfo("/etc/absolute.txt")
        made.addfile(member, io.BytesIO())
    with pytest.raises(CorpusError, match="a path that leaves it"):
        contents(tar)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Où est l'été à Noël ?", "cp1252"),
        ("Съешь ещё этих мягких булок", "cp1251"),
        ("今天去公园散步。", "gb18030"),
    ],
)
def test_the_likeliest_encoding_is_named_and_read(tmp_path, text, encoding):
    file = tmp_path / "t.txt"
    file.write_bytes((text + "\n").encode(encoding) * 20)
    with pytest.raises(CorpusError, match=f"add --encoding {encoding}"):
        contents(file)
    assert contents(file, encoding=encoding)["t.txt"] == [text] * 20


def test_utf_16_is_read_where_it_is_named_across_blocks(tmp_path, monkeypatch):
    from langmodel.text import decoding

    monkeypatch.setattr(decoding, "BLOCK_BYTES", 5)
    (tmp_path / "t.txt").write_text("zwei äöü\nzeilen\n\nlast", encoding="utf-16")
    assert contents(tmp_path / "t.txt", encoding="utf-16")["t.txt"] == ["zwei äöü", "zeilen", "", "last"]
    with pytest.raises(CorpusError, match="add --encoding utf-16"):
        contents(tmp_path / "t.txt")
    with pytest.raises(ConfigError, match="unknown encoding 'klingon'"):
        Reading(encoding="klingon")
    for codec in ("zlib", "rot13", "hex"):
        with pytest.raises(ConfigError, match="unknown encoding"):
            Reading(encoding=codec)


def test_the_separator_of_a_table_is_found(tmp_path):
    (tmp_path / "s.csv").write_text('id;text\n1;"one; two"\n2;three, four\n')
    (tmp_path / "t.csv").write_text("id\ttext\n1\tone, two\n")
    assert [d.lines for d in read_documents(str(tmp_path / "s.csv"))] == [["one; two"], ["three, four"]]
    assert [d.lines for d in read_documents(str(tmp_path / "t.csv"))] == [["one, two"]]


BOOK = """The Project Gutenberg eBook of Nothing
*** START OF THE PROJECT GUTENBERG EBOOK NOTHING ***

It was _very_ late.

[Illustration: “A night”

[_Copyright._]]

He said _I_ saw snake_case. [Illustration] It rained.
*** END OF THE PROJECT GUTENBERG EBOOK NOTHING ***
Licence.
"""


def test_a_book_of_project_gutenberg_is_cleaned(tmp_path):
    (tmp_path / "b.txt").write_text(BOOK)
    lines = [line for line in contents(tmp_path / "b.txt", clean="gutenberg")["b.txt"] if line]
    assert lines == ["It was very late.", "He said I saw snake_case. It rained."]
    (tmp_path / "plain.txt").write_text("no marks\n[open\nend\n")
    assert contents(tmp_path / "plain.txt", clean="gutenberg")["plain.txt"] == ["no marks", "[open", "end"]
