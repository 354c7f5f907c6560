"""A target's process: started, waited for, ended with all its children."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.yardstick import body
from benchmarks.yardstick.target import Place, Target, Unavailable


@dataclass(frozen=True, slots=True)
class Service:
    """A target that answers. ``pid`` is 0 for the upstream itself, which is nobody's cost.

    ``started`` is the seconds from spawn to the first proxied 200, ``second`` those of the request after it.
    """

    target: Target
    port: int
    pid: int
    started: float
    second: float

    def request(self, data: bytes) -> bytes:
        """A whole HTTP request with this body."""
        head = f"POST {self.target.path} HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\ncontent-type: application/json\r\n"
        fields = {"anthropic-version": "2023-06-01", "x-api-key": "sk-local", "user-agent": "bench"}
        fields |= {**self.target.headers, "content-length": str(len(data))}
        return (head + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode() + data


@contextmanager
def service(target: Target, upstream: str) -> Iterator[Service]:
    """A running target; the upstream must answer JSON while it starts. Unavailable when it does not come up."""
    if target.start is None:
        yield Service(target, int(upstream.rpartition(":")[2]), 0, 0.0, 0.0)
        return
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{target.program}-"))
    place = Place(folder, _free_port(), upstream)
    command = target.start(place)
    environ = {"HOME": str(folder), "PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", **target.environ}
    with (folder / "out").open("wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(
            command, env=environ, cwd=folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            ready = Service(target, place.port, process.pid, 0.0, 0.0)
            started = _first_answer(ready, process, began)
            second = time.monotonic()
            _ask(ready)
            yield Service(target, place.port, process.pid, started, time.monotonic() - second)
        except Unavailable as error:
            raise Unavailable(f"{error}\n{_last_lines(folder / 'out')}") from None
        finally:
            _end(process)
            shutil.rmtree(folder, ignore_errors=True)


def _first_answer(ready: Service, process: subprocess.Popen[bytes], began: float) -> float:
    """Seconds from ``began`` until a request has been answered with 200."""
    said = "no answer"
    while time.monotonic() - began < ready.target.patience:
        if process.poll() is not None:
            raise Unavailable(f"{ready.target.name} ended with {process.returncode}")
        with contextlib.suppress(OSError):
            said = _ask(ready)
            if said.startswith("HTTP/1.1 200"):
                return time.monotonic() - began
        time.sleep(0.005)
    raise Unavailable(f"{ready.target.name} did not answer with 200: {said[:300]}")


def _ask(ready: Service) -> str:
    """One small request; the beginning of its answer."""
    with socket.create_connection(("127.0.0.1", ready.port), timeout=30) as connection:
        connection.sendall(ready.request(body.request(1000, stream=False, model=ready.target.model)))
        return connection.recv(4096).decode(errors="replace")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _last_lines(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-8:])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process group: politely, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
