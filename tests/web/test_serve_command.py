"""`langmodel serve` and `export-web`: what they refuse, in one line."""

import socket
import sys

import pytest

from langmodel.cli.main import run


def test_a_port_in_use_is_said(place, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(f"serve m.safetensors --port {port}".split()) == 2
    error = capsys.readouterr().err
    assert f"cannot listen at 127.0.0.1:{port}" in error
    assert "--port" in error


def test_a_missing_extra_is_named(place, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "langmodel.web.server", raising=False)
    assert run("serve m.safetensors".split()) == 2
    assert "pip install 'langmodel[serve]'" in capsys.readouterr().err


def test_a_model_that_is_none_ends_it(place, capsys):
    (place / "bad.safetensors").write_bytes(b"no")
    assert run("serve bad.safetensors --port 0".split()) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert run("serve bad.safetensors bad.safetensors --port 0".split()) == 2
    assert "none of the models could be loaded" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["int8", "float16"])
def test_a_page_is_written_and_its_cost_said(place, capsys, form):
    assert run(f"export-web m.safetensors -o page.html --weights {form}".split()) == 0
    said = capsys.readouterr().out
    assert "page.html: 0.1 MB" in said
    assert "perplexity on 200 sentences that it drew itself:" in said
    assert run("export-web m.safetensors -o page.html".split()) == 2
    assert "--overwrite" in capsys.readouterr().err
    (place / "t.txt").write_text("a b c\n")
    assert run("export-web m.safetensors -o page.html --overwrite --judge-by t.txt".split()) == 0
    assert "perplexity on t.txt:" in capsys.readouterr().out
