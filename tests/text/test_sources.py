import bz2
import json
import lzma
from pathlib import Path

import pytest
from conftest import write_gzip

from langmodel.errors import CorpusError, InputError
from langmodel.text import decoding
from langmodel.text.sources import Reading, read_documents, read_lines


def lines_of(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    return list(read_lines(str(path)))


@pytest.mark.parametrize(
    "data",
    [
        b"one\ntwo\n",
        b"one\r\ntwo\r\n",
        b"one\rtwo",
        "one\u2028two".encode(),
        "one\x85two\n".encode(),
        b"\xef\xbb\xbfone\ntwo",
    ],
)
def test_every_line_end_and_a_bom_read_the_same(tmp_path, data):
    assert [line for line in lines_of(tmp_path / "t.txt", data) if line] == ["one", "two"]


def test_blank_lines_are_kept(tmp_path):
    assert lines_of(tmp_path / "t.txt", b"a\n\n\nb\n\n") == ["a", "", "", "b", ""]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"good\nbad \xff\n", "not UTF-8 at byte 9, line 2"),
        (b"a\nb\0c\n", "NUL byte at byte 3, line 2"),
        ("hello".encode("utf-16"), "UTF-16"),
        ("hello".encode("utf-32"), "UTF-32"),
        ("hello".encode("utf-16-le"), "UTF-16"),
    ],
)
def test_text_in_another_encoding_is_refused_with_its_place(tmp_path, data, message):
    with pytest.raises(CorpusError, match=message):
        lines_of(tmp_path / "t.txt", data)


def test_the_place_of_a_fault_is_right_across_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "BLOCK_BYTES", 7)
    data = b"abc\n" * 10 + b"x\xff\n"
    with pytest.raises(CorpusError, match="byte 41, line 11"):
        lines_of(tmp_path / "t.txt", data)


def test_the_place_of_a_fault_in_another_encoding(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "BLOCK_BYTES", 7)
    (tmp_path / "t.txt").write_bytes(b"abc\n" * 3 + b"x\x81\n")  # which cp1252 does not have
    with pytest.raises(CorpusError, match="not cp1252 near byte 13, line 4;"):
        list(read_lines(str(tmp_path / "t.txt"), Reading(encoding="cp1252")))


def test_only_standard_input_needs_to_be_open(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    (tmp_path / "t.txt").write_text("one\n")
    assert list(read_lines(str(tmp_path / "t.txt"))) == ["one"]
    with pytest.raises(InputError, match="standard input is closed"):
        list(read_documents("-"))


def test_small_blocks_give_the_same_lines(tmp_path, monkeypatch):
    data = "äöü one\ntwo\r\n\nthree ".encode() * 9
    whole = lines_of(tmp_path / "t.txt", data)
    monkeypatch.setattr(decoding, "BLOCK_BYTES", 3)
    assert lines_of(tmp_path / "t.txt", data) == whole


def test_an_endless_line_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "BLOCK_BYTES", 16)
    monkeypatch.setattr(decoding, "MAX_LINE_BYTES", 64)
    with pytest.raises(CorpusError, match="line at byte 2 is longer"):
        lines_of(tmp_path / "t.txt", b"a\n" + b"x" * 200)


def test_compressed_files_read_like_plain_ones(tmp_path):
    text = b"one\ntwo\n"
    write_gzip(tmp_path / "t.txt.gz", text)
    (tmp_path / "t.txt.bz2").write_bytes(bz2.compress(text))
    (tmp_path / "t.txt.xz").write_bytes(lzma.compress(text))
    for suffix in ("gz", "bz2", "xz"):
        assert list(read_lines(str(tmp_path / f"t.txt.{suffix}"))) == ["one", "two"]


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_a_damaged_archive_is_refused(tmp_path, suffix):
    good = {
        "gz": lambda: write_gzip(tmp_path / "g.gz", b"abc" * 999).read_bytes(),
        "bz2": lambda: bz2.compress(b"abc" * 999),
        "xz": lambda: lzma.compress(b"abc" * 999),
    }
    file = tmp_path / f"t.{suffix}"
    for data in (b"not an archive", good[suffix]()[:-9]):
        file.write_bytes(data)
        with pytest.raises(CorpusError, match="cannot be read"):
            list(read_lines(str(file)))


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="no such file"):
        list(read_documents(str(tmp_path / "none.txt")))
    with pytest.raises(CorpusError, match="no text files"):
        list(read_documents(str(tmp_path)))


def documents(path: Path, **field: str) -> list[list[str]]:
    return [list(document.lines) for document in read_documents(str(path), Reading(**field))]


def test_csv_rows_are_documents_and_cells_may_hold_lines(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text('id,text\n1,"one, two"\n2,"three\nfour"\n')
    assert documents(file) == [["one, two"], ["three", "four"]]
    assert documents(file, column="id") == [["1"], ["2"]]


def test_tsv_and_gzipped_csv(tmp_path):
    (tmp_path / "t.tsv").write_text("text\tn\nhello world\t1\n")
    write_gzip(tmp_path / "t.csv.gz", b"only\nhi\n")
    assert documents(tmp_path / "t.tsv") == [["hello world"]]
    assert documents(tmp_path / "t.csv.gz") == [["hi"]]


def test_quotes_in_tsv_are_text_and_long_csv_cells_are_fine(tmp_path):
    (tmp_path / "t.tsv").write_text('text\tn\n"Hello he said\t1\n"third" row\t3\n')
    assert documents(tmp_path / "t.tsv") == [['"Hello he said'], ['"third" row']]
    (tmp_path / "T.CSV").write_text('text\n"' + "x" * 200_000 + '"\n')
    assert len(documents(tmp_path / "T.CSV")[0][0]) == 200_000


def test_only_lf_ends_a_row_of_a_table_and_what_unicode_calls_a_line_end_a_line_of_its_text(tmp_path):
    text = "one\u2028two\u2029three\x85four"
    lines = ["one", "two", "three", "four"]
    (tmp_path / "t.csv").write_text(f"id,text,lang\r\n1,{text},en\r\n", encoding="utf-8", newline="")
    (tmp_path / "t.tsv").write_text(f"text\tlang\n{text}\ten\n", encoding="utf-8")
    row = json.dumps({"text": text}, ensure_ascii=False)
    (tmp_path / "t.jsonl").write_text(f"{row}\r\n{row}\n", encoding="utf-8", newline="")
    assert documents(tmp_path / "t.csv") == documents(tmp_path / "t.tsv") == [lines]
    assert documents(tmp_path / "t.jsonl") == [lines, lines]


def test_jsonl_rows_are_documents(tmp_path):
    file = tmp_path / "t.jsonl"
    rows = [{"body": "a\nb"}, {"body": "c"}]
    file.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    assert documents(file, field="body") == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "a,b\n1,2\n", "choose --column from a, b"),
        ("t.csv", "a,text\n1\n", "row 2 has 1 columns"),
        ("t.csv", 'text\n"open\nabc\n', "row 2 is not valid CSV"),
        ("t.csv", "text\rone\rtwo\r", "end in CR alone; convert them to LF"),
        ("t.jsonl", '{"text": 5}\n', "field 'text' is not text but 5"),
        ("t.jsonl", "{nope\n", "line 1 is not JSON"),
        ("t.jsonl", "[1]\n", "not an object"),
        ("t.jsonl", '{"x": 1}\n', "no text field 'text'; its fields: x"),
        ("t.jsonl", '{"text": "\\ud800"}\n', "not UTF-8"),
        ("t.jsonl", '{"text": "a\\u0000"}\n', "NUL"),
        ("t.jsonl", "[" * 100_000 + "\n", "not JSON"),
    ],
)
def test_malformed_tables_name_row_and_remedy(tmp_path, name, text, message):
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(CorpusError, match=message):
        documents(file)


def test_nltk_corpora_that_are_not_installed_say_how_to_get_them():
    with pytest.raises(CorpusError, match=r"nltk.downloader brown"):
        list(read_documents("nltk:brown"))
    with pytest.raises(CorpusError, match="no such corpus"):
        list(read_documents("nltk:nonsense"))


def test_pydoc_takes_further_packages_and_refuses_unknown_ones():
    names = [document.name for document in read_documents("pydoc:click")]
    assert "pydoc:json" in names
    assert any(name.startswith("pydoc:click.") for name in names)
    with pytest.raises(InputError, match="no_such_package"):
        list(read_documents("pydoc:no_such_package"))


def test_pydoc_is_prose_of_the_promised_size():
    documents = list(read_documents("pydoc:"))
    texts = [line for document in documents for line in document.lines]
    assert sum(len(text.split()) for text in texts) >= 150_000
    assert not [text for text in texts if text.startswith((">>>", "..."))]
    assert "pydoc:topics/assert" in [document.name for document in documents]
