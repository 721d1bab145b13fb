"""A Dask cluster as the executor of `preprocess` (extra `[cluster]`): a scheduler's address, or `local:N`.

Its workers read plain files themselves, where they see them, and write beside the corpus directory.
"""

import platform
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langmodel import __version__
from langmodel.errors import ConfigError, InputError, WorkersLost

SECONDS_TO_CONNECT = 15

AHEAD = 2
"""Batches for each thread of the cluster that wait or are done before their turn."""

LOCAL = "local:"


class ClusterExecutor(Executor):
    """Gives work to a cluster. What a lost worker had is done by another one; results are the same."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._seen: dict[Path, bool] = {}
        self.ahead = AHEAD * max(1, sum(client.nthreads().values()))
        """How many pieces of work may wait."""

    def can_read(self, path: Path) -> bool:
        """Whether every worker sees this file; the others of its folder are taken to be where it is."""
        folder = path.absolute().parent
        if folder not in self._seen:
            here = _bytes_of(str(path.absolute()))
            found = self._client.run(_bytes_of, str(path.absolute()))
            self._seen[folder] = all(there == here for there in found.values())
        return self._seen[folder]

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **more: Any) -> Any:
        return _Result(self._client, self._client.submit(_shielded, function, *arguments, **more, pure=False))


@dataclass(frozen=True)
class _Failed:
    """An error of the file system on a worker, which is not the cluster's."""

    error: OSError
    host: str


def _shielded(function: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    try:
        return function(*arguments, **more)
    except OSError as error:
        return _Failed(error, socket.gethostname())


def _bytes_of(path: str) -> int | None:
    try:
        return Path(path).stat().st_size
    except OSError:
        return None


class _Result:
    """A future whose failure is one line."""

    def __init__(self, client: Any, future: Any) -> None:
        self._client, self._future = client, future

    def cancel(self) -> None:
        with suppress(Exception):  # the scheduler may be gone
            self._future.cancel()

    def result(self, timeout: float | None = None) -> Any:
        from distributed import CancelledError, KilledWorker
        from distributed.comm import CommClosedError

        try:
            found = self._future.result(timeout)
        except KilledWorker as error:
            raise WorkersLost(
                f"{self._client.scheduler.address}: workers kept dying on the same batch "
                f"({error!s:.120}); give them more memory"
            ) from None
        except (CancelledError, CommClosedError, TimeoutError, OSError) as error:
            raise WorkersLost(
                f"{self._client.scheduler.address}: the scheduler is gone ({type(error).__name__}); start it "
                "again, and preprocess again"
            ) from None
        if isinstance(found, _Failed):
            if found.error.strerror is None:  # NLTK's own TimeoutError
                raise found.error
            raise OSError(found.error.errno, f"{found.error.strerror} on {found.host}")
        return found


@contextmanager
def cluster(address: str) -> Iterator[ClusterExecutor]:
    """The executor of a running cluster, or of N processes that are started here for `local:N`.

    Raises ConfigError for an address that is none, InputError where no scheduler or no worker answers, and
    for workers of another langmodel or Python.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise InputError("--cluster needs dask: pip install 'langmodel[cluster]'") from None
    with ExitStack() as stack:
        if address.startswith(LOCAL):
            count = address.removeprefix(LOCAL)
            if not count.isdecimal() or not 1 <= int(count) <= 1_024:
                raise ConfigError(f"--cluster {address}: expected local:N with N from 1 to 1,024")
            made = LocalCluster(
                n_workers=int(count), threads_per_worker=1, processes=True, dashboard_address=":0"
            )
            target: Any = stack.enter_context(made)
        elif "://" in address:
            target = address
        else:
            raise ConfigError(f"--cluster {address}: expected tcp://HOST:PORT of a scheduler, or local:N")
        try:
            client = stack.enter_context(Client(target, timeout=SECONDS_TO_CONNECT, set_as_default=False))
        except (OSError, ValueError) as error:
            raise InputError(
                f"--cluster {address}: no scheduler answers there ({error!s:.100}); start one: dask scheduler"
            ) from None
        _refuse_other_workers(client, address)
        yield ClusterExecutor(client)


def _versions() -> tuple[str, str]:
    return __version__, ".".join(platform.python_version_tuple()[:2])


def _refuse_other_workers(client: Any, address: str) -> None:
    here = _versions()
    if not client.nthreads():
        raise InputError(f"--cluster {address}: the scheduler has no workers; start some with dask worker")
    try:
        found = client.run(_versions)
    except Exception as error:  # a worker without langmodel cannot even be asked
        raise InputError(
            f"--cluster {address}: a worker cannot run langmodel ({error!s:.120}); install langmodel "
            f"{here[0]} there"
        ) from None
    for worker, there in found.items():
        if tuple(there) != here:
            raise InputError(
                f"--cluster {address}: {worker} has langmodel {there[0]} and Python {there[1]}, but this is "
                f"langmodel {here[0]} and Python {here[1]}; the bytes would not be the same"
            )
