"""What is measured: the upstream itself, nginx, a bare pass-through, and how each is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.yardstick.body import MODEL

DIRECT = "direct"
NGINX = "nginx"
BARE = "bare"
OURS = "ours"


class Unavailable(Exception):
    """The target cannot be measured here; the message says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a target is started with: a folder of its own, its port, and the upstream's URL."""

    folder: Path
    port: int
    upstream: str


@dataclass(frozen=True, slots=True)
class Target:
    """Something that serves Messages. ``start`` gives the command that serves, after writing what it needs.

    ``model`` is what requests name, ``path`` and ``headers`` how they are sent. ``patience`` is the seconds that it may
    take to start.
    """

    program: str
    lane: str
    version: str
    start: Callable[[Place], list[str]] | None
    environ: Mapping[str, str] = field(default_factory=dict)
    model: str = MODEL
    path: str = "/v1/messages"
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float = 15.0

    @property
    def name(self) -> str:
        """How the tables call it."""
        return self.program if self.program in (DIRECT, NGINX, BARE) else f"{self.program} {self.lane}"


def direct() -> Target:
    """No proxy at all."""
    return Target(DIRECT, "anthropic", "", None)


NGINX_CONFIG = """
daemon off; master_process on; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log crit; {user}
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; tcp_nodelay on;
  client_max_body_size 64m; client_body_buffer_size 2m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream model {{ server {server}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{
      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_request_buffering off;
    }}
  }}
}}
"""


def nginx() -> Target:
    """The limit: one worker, kept connections, no buffering."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if not program:
        program = _install_nginx()
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr

    def start(place: Place) -> list[str]:
        config = place.folder / "nginx.conf"
        server = place.upstream.removeprefix("http://")
        user = "user root;" if os.geteuid() == 0 else ""
        config.write_text(NGINX_CONFIG.format(folder=place.folder, port=place.port, server=server, user=user))
        return [program, "-p", str(place.folder), "-c", str(config)]

    return Target(NGINX, "anthropic", said.strip().rpartition("/")[2], start)


def _install_nginx() -> str:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable("nginx is not installed")
    command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "nginx-light"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        raise Unavailable("nginx could not be installed")
    return "/usr/sbin/nginx"


def bare() -> Target:
    """The floor of aiohttp."""

    def start(place: Place) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("bare.py")), place.upstream, str(place.port)]

    return Target(BARE, "anthropic", "", start)
