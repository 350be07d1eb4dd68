"""nginx twice: as the reverse proxy that ours stands beside, and as the canned upstream behind everyone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.peers.peer import Absent, Served
from benchmarks.process import free_port, listening, running

_FRAME: Final = """\
daemon off;
worker_processes {workers};
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 600s;
  client_body_buffer_size 128k;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{http}
}}
"""

_PROXY: Final = """\
  upstream llm {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://llm; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""


@contextmanager
def nginx(http: str, folder: Path, *, port: int, workers: int = 1) -> Iterator[psutil.Process]:
    """Run nginx with that `http` block, keeping all its files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(_FRAME.format(workers=workers, folder=folder, http=http))
    command: list[str | Path] = [program(), "-e", "stderr", "-c", configuration]
    with running(command, log=folder / "output.log", ready=lambda: listening(port)) as process:
        yield process


def program() -> str:
    """Path of nginx; raises Absent."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise Absent("nginx is not installed (apt-get install nginx-light)")
    return found


@dataclass(frozen=True, slots=True)
class NginxProxy:
    """nginx as a plain reverse proxy with pooled connections: it parses no JSON and logs nothing."""

    workers: int = 1

    @property
    def name(self) -> str:
        return "nginx" if self.workers == 1 else f"nginx, {self.workers} workers"

    def install(self) -> None:
        program()

    @contextmanager
    def serve(self, upstream: str, folder: Path) -> Iterator[Served]:
        port = free_port()
        http = _PROXY.format(upstream=upstream.removeprefix("http://"), port=port)
        with nginx(http, folder, port=port, workers=self.workers) as process:
            yield Served(f"http://127.0.0.1:{port}/v1/chat/completions", process)
