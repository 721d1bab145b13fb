"""`langmodel serve`: a page to write, judge and compare on."""

import sys
import threading
import webbrowser
from pathlib import Path

import click

from langmodel.cli.options import device_option, network_only_option, threads_option
from langmodel.errors import ConfigError, InputError
from langmodel.network.device import prepare_cpu
from langmodel.text.printable import printable
from langmodel.web.served import ServedModel, open_model

EVERY_ADDRESS = ("0.0.0.0", "::", "")  # noqa: S104


@click.command("serve")
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MODEL...")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at. There is no password: anyone who can reach it can use it.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Another name by which browsers reach the server. Repeatable.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@network_only_option
@device_option
@threads_option
def command(
    models: tuple[Path, ...],
    port: int,
    host: str,
    allow_host: tuple[str, ...],
    opens: bool,
    network_only: bool,
    device: str,
    threads: int | None,
) -> None:
    """Serve a web page for writing with the models, seeing the likeliest next words, judging text and
    comparing models. GET /api describes the JSON API. Ctrl-C stops the server.
    """
    try:
        from langmodel.web.server import LOOPBACK, listening_socket, serve
    except ImportError as error:
        raise ConfigError(f"serve needs {error.name}: pip install 'langmodel[serve]'") from None
    with listening_socket(host, port) as listening:
        prepare_cpu(threads)
        served = _loaded(models, device, network_only=network_only)
        if host not in (*LOOPBACK, "::1"):
            print("WARNING: reachable by other machines, without a password", file=sys.stderr)
        name = "127.0.0.1" if host in EVERY_ADDRESS else f"[{host}]" if ":" in host else host
        address = f"http://{name}:{listening.getsockname()[1]}/"

        def announce() -> None:
            names = ", ".join(printable(name) for name in served)
            print(f"serving {names} at {address} (Ctrl-C to stop)", file=sys.stderr, flush=True)
            if opens:
                threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()

        hosts = frozenset([*LOOPBACK, *allow_host, *([] if host in EVERY_ADDRESS else [host])])
        serve(served, listening, hosts, announce)


def _loaded(paths: tuple[Path, ...], device: str, *, network_only: bool) -> dict[str, ServedModel]:
    """The models by name. One that cannot be used is left out, and said; if it is the only one, raised."""
    served: dict[str, ServedModel] = {}
    for path in paths:
        try:
            model = open_model(path, device, set(served), network_only=network_only)
        except InputError as error:
            if len(paths) == 1:
                raise
            print(f"WARNING: left out: {printable(str(error))}", file=sys.stderr)
        else:
            served[model.name] = model
    if not served:
        raise InputError("none of the models could be loaded")
    return served
