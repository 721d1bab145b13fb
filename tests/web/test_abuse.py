"""What strangers send: the server answers shortly, lives on, and its memory stays bounded."""

import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import start_server

MEGABYTE = 1_000_000


def raw(served, data: bytes, wait: float = 5) -> bytes:
    """All that the server sends before it closes, or until the wait is over."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=wait) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while chunk := connection.recv(65536):
                answer += chunk
        except (TimeoutError, ConnectionError):
            pass
        return answer


def post(path: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "Connection: close",
    ]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def is_well(served) -> bool:
    return served.ask("GET", "/api/models")[0] == 200


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x00\xff" * 1000 + b"\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b" 400 "),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", b" 400 "),
        (post("/api/score", "Content-Length: 100000000"), b" 413 "),
        (post("/api/score", "Content-Length: 99999999999999999999"), b" 413 "),
        (post("/api/score", "Content-Length: -1"), b" 400 "),
        (post("/api/score", "Transfer-Encoding: chunked", body=b"zzz\r\n"), b" 400 "),
        (post("/api/score", "Content-Length: 100000", body=b"[" * 100_000), b" 413 "),
        (post("/api/score", "Content-Length: 60000", body=b"[" * 60_000), b" 400 "),
    ],
    ids=[
        "bytes",
        "no host",
        "two hosts",
        "long header",
        "says 100 MB",
        "says 10^20",
        "says -1",
        "bad chunk",
        "too large",
        "deep",
    ],
)
def test_odd_requests_are_answered_and_survived(served, data, status):
    answer = raw(served, data)
    assert status in answer.partition(b"\r\n")[0], answer[:200]
    assert len(answer) < 2000
    assert is_well(served)


def test_a_chunked_body_is_counted_as_it_comes(served):
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    before = served.resident_bytes()
    answer = raw(served, post("/api/score", "Transfer-Encoding: chunked", body=chunk * 400))
    assert b" 413 " in answer.partition(b"\r\n")[0] or answer == b""  # reset while it was still sending
    assert served.resident_bytes() - before < 30 * MEGABYTE
    assert is_well(served)


def test_clients_that_send_a_byte_now_and_then_are_let_go_while_others_are_served(served):
    slow = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(20)]
    begun = time.monotonic()
    for number, connection in enumerate(slow):
        head = post("/api/score", "Content-Length: 50", body=b"{") if number % 2 else b"GET / HT"
        connection.sendall(head)
    worst = 0.0
    closed: set[int] = set()
    while len(closed) < len(slow) and time.monotonic() - begun < 20:
        for number, connection in enumerate(slow):
            try:
                connection.sendall(b" ")
                connection.settimeout(0.01)
                if number not in closed and connection.recv(4096) is not None:
                    closed.add(number)
            except TimeoutError:
                pass
            except OSError:
                closed.add(number)
        asked = time.monotonic()
        assert is_well(served)
        worst = max(worst, time.monotonic() - asked)
        time.sleep(0.2)
    for connection in slow:
        connection.close()
    assert len(closed) == 20
    assert time.monotonic() - begun < 15
    assert worst < 1


def test_two_hundred_at_once_are_answered_or_told_to_come_again(served):
    served.call("score", text="the cat sat " * 100)
    before = served.resident_bytes()

    def one(number: int) -> int:
        if number % 2:
            return served.ask("POST", "/api/next", {"text": "the cat"})[0]
        return served.ask("POST", "/api/score", {"text": "the cat sat " * 100})[0]

    with ThreadPoolExecutor(200) as threads:
        answers = Counter(threads.map(one, range(400)))
    assert set(answers) <= {200, 503}
    assert answers[200] >= 50
    assert served.resident_bytes() - before < 60 * MEGABYTE
    assert is_well(served)


def test_work_stops_when_the_client_goes(served):
    # As long as a request may work: no sentence can have a word that is ruled out.
    body = json.dumps({"n": 100, "max_length": 200, "include": ["dog"], "ban": ["dog"]})
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(post("/api/sample", f"Content-Length: {len(body)}", body=body.encode()))
            time.sleep(0.3)
    begun = time.monotonic()
    assert len(served.call("sample", n=1, seed=1)) == 1
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"host": "localhost"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"content_type": "text/plain"}, 415),
    ],
)
def test_pages_of_other_origins_are_refused(served, headers, status):
    assert served.ask("POST", "/api/next", {"text": "the"}, **headers)[0] == status


def test_every_answer_carries_the_policy(served):
    for path in ("/", "/assets/panels.js", "/api/models", "/none", "/api/models/m/curve.svg"):
        headers = served.ask("GET", path)[1]
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/assets/../server.py", "/assets/%2e%2e%2fserver.py", "/assets/page.html", "/x"]
)
def test_nothing_else_is_given_out(served, path):
    assert served.ask("GET", path)[0] == 404


def test_a_model_that_does_not_load_is_left_out_and_the_others_are_served(tmp_path, served):
    (tmp_path / "bad.safetensors").write_bytes(b"no model")
    (tmp_path / "good.safetensors").write_bytes(b"")
    served.lm.save(tmp_path / "good.safetensors")
    process, _, log = start_server(tmp_path, "bad.safetensors", "good.safetensors")
    process.terminate()
    assert process.wait(10) in (0, 143)
    warning, ready = log.read_text().splitlines()
    assert warning.startswith("WARNING: left out: bad.safetensors")
    assert ready.startswith("serving good at")


def test_the_page_is_opened_in_the_reader_s_browser(tmp_path, served, monkeypatch):
    served.lm.save(tmp_path / "good.safetensors")
    browser, opened = tmp_path / "browser", tmp_path / "opened.txt"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    process, port, _ = start_server(tmp_path, "good.safetensors", "--open")
    until = time.monotonic() + 10
    while not (opened.exists() and opened.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    process.terminate()
    process.wait(10)
    assert opened.read_text().strip() == f"http://127.0.0.1:{port}/"
