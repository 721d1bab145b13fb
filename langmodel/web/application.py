"""The playground as an ASGI application: routes, and what guards them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langmodel import __version__
from langmodel.errors import InputError, LangModelError
from langmodel.web import answers
from langmodel.web.pages import ASSETS, part, playground_page
from langmodel.web.requests import CALLS, MAX_BODY, MAX_DRAWN_WORDS, BadRequest, read_request
from langmodel.web.served import ServedModel
from langmodel.web.work import MAX_SECONDS, Lane, Overloaded

T = TypeVar("T")

MOST_DRAWING, MOST_READING = 16, 128
"""Requests that wait for their turn, those to sample and the others; what comes then is refused."""

BODY_SECONDS = 10.0
"""For a request's body to arrive."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

ABOUT = {
    "score": "the natural log-probability of each sentence and of its words, with ranks and entropy",
    "next": "the likeliest next words after the beginning of a sentence",
    "sample": "new sentences, a line of JSON for each as it is drawn (application/x-ndjson)",
}


class Guard:
    """Refuses requests that a page of another origin makes in the reader's name; adds the headers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    *((name.encode(), value.encode()) for name, value in HEADERS.items()),
                ]
            await send(message)

        refused = self._refusal(Request(scope))
        await (refused or self._app)(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if _without_port(host) not in self._hosts:
            return error(403, f"this server does not answer to the host {host[:80]!r}")
        origin = request.headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return error(403, "pages of other origins may not use this server")
        return None


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].lower()


def error(status: int, message: str) -> JSONResponse:
    headers = {"retry-after": "1"} if status == 503 else None
    return JSONResponse({"error": message}, status, headers=headers)


class Playground:
    """The models and the two threads that use them."""

    def __init__(self, models: Mapping[str, ServedModel]) -> None:
        self._models = models
        drawing, reading = Lane("draw", MOST_DRAWING), Lane("read", MOST_READING)
        self._lanes = {"sample": drawing, "score": reading, "next": reading}

    def close(self) -> None:
        for lane in self._lanes.values():
            lane.close()

    async def models(self, request: Request) -> Response:
        return JSONResponse({"models": [model.about for model in self._models.values()]})

    async def curve(self, request: Request) -> Response:
        model = self._models.get(request.path_params["name"])
        if model is None or model.curve is None:
            return error(404, "no curve")
        return Response(model.curve, media_type="image/svg+xml")

    async def description(self, request: Request) -> Response:
        calls = {
            f"POST /api/{name}": {
                "help": ABOUT[name],
                "fields": {field: described.described() for field, described in CALLS[name].items()},
            }
            for name in CALLS
        }
        limits = {
            "body_bytes": MAX_BODY,
            "words_drawn": MAX_DRAWN_WORDS,
            "seconds_of_work": MAX_SECONDS,
            "requests_waiting": {"sample": MOST_DRAWING, "score and next": MOST_READING},
        }
        return JSONResponse(
            {
                "langmodel": __version__,
                "limits": limits,
                **calls,
                "GET /api/models": {"help": "the models, each with a description"},
            }
        )

    async def call(self, request: Request, name: str) -> Response:
        """Answers a call; the work stops when the client goes."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return error(415, "send application/json")
        try:
            fields = read_request(name, await _body(request))
            model = self._model(fields.pop("model"))
            work = partial(answers.CALLS[name], model.lm, fields)
            rows = self._lanes[name].results(work)
            if name == "sample":
                return await _streamed(rows, request)
            return JSONResponse(await _collected(name, rows, request))
        except _TooLarge:
            return error(413, f"the body is larger than {MAX_BODY:,} bytes")
        except TimeoutError:
            return error(408, f"the body did not arrive within {BODY_SECONDS:g} seconds")
        except ClientDisconnect:
            return Response(status_code=499)
        except LangModelError as problem:
            return error(_status(problem), str(problem))

    def _model(self, name: str) -> ServedModel:
        if not name:
            return next(iter(self._models.values()))
        if name not in self._models:
            raise BadRequest(f"no such model; there are: {', '.join(self._models)}")
        return self._models[name]


class _TooLarge(Exception):
    pass


def _status(problem: LangModelError) -> int:
    if isinstance(problem, Overloaded):
        return 503
    return 400 if isinstance(problem, InputError) else 422


async def _body(request: Request) -> bytes:
    """The body, counted as it comes: what a header says of its length is not believed."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length[:12]) > MAX_BODY:
        raise _TooLarge
    body = bytearray()
    async with asyncio.timeout(BODY_SECONDS):
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise _TooLarge
    return bytes(body)


async def _collected(name: str, rows: AsyncIterator[Any], request: Request) -> Any:
    """All rows, unless the client goes before."""

    async def collect() -> list[Any]:
        return [row async for row in rows]

    found = await _unless_gone(collect(), request)
    return found[0] if name == "next" else {"sentences": found}


async def _unless_gone(work: Coroutine[Any, Any, T], request: Request) -> T:
    """What the work gives. Raises ClientDisconnect as soon as the client goes."""

    async def leave() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    doing, gone = asyncio.create_task(work), asyncio.create_task(leave())
    try:
        await asyncio.wait([doing, gone], return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnect
        return doing.result()
    finally:
        doing.cancel()
        gone.cancel()


async def _streamed(rows: AsyncIterator[Any], request: Request) -> Response:
    """A line for each row; what goes wrong before the first is an error's status, later a last line."""

    async def begin() -> Any:
        return await anext(rows, None)

    first = await _unless_gone(begin(), request)

    async def lines() -> AsyncIterator[str]:
        try:
            row = first
            while row is not None:
                yield json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
                row = await anext(rows, None)
        except LangModelError as problem:
            yield json.dumps({"error": str(problem)}) + "\n"
        finally:
            await rows.aclose()  # type: ignore[attr-defined]

    return StreamingResponse(lines(), media_type="application/x-ndjson")


def application(models: Mapping[str, ServedModel], hosts: frozenset[str]) -> Starlette:
    """The page and the API for these models, for requests to one of the hosts."""
    playground = Playground(models)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        playground.close()

    async def index(_: Request) -> Response:
        return Response(playground_page(), media_type="text/html")

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            return error(404, "no such file")
        return Response(part(name), media_type=ASSETS[name])

    def called(name: str) -> Callable[[Request], Awaitable[Response]]:
        return partial(playground.call, name=name)

    app = Starlette(
        routes=[
            Route("/", index),
            Route("/assets/{name}", asset),
            Route("/api", playground.description),
            Route("/api/models", playground.models),
            Route("/api/models/{name}/curve.svg", playground.curve),
            *(Route(f"/api/{name}", called(name), methods=["POST"]) for name in CALLS),
        ],
        lifespan=lifespan,
    )
    app.add_middleware(Guard, hosts=hosts)
    return app
