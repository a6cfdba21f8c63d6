"""A server that answers in drops, so that no single wait is long and all of them never end."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["dripping"]


@contextmanager
def dripping(beginning: bytes, drop: bytes, *, listens: bool = True) -> Iterator[int]:
    """Its port on loopback. It takes one connection, reads what comes first if it `listens`, and begins."""
    stopping = threading.Event()

    def drip(server: socket.socket) -> None:
        with server.accept()[0] as connection, suppress(ConnectionError):
            if listens:
                connection.recv(65_536)
            connection.sendall(beginning)
            while not stopping.wait(0.02):
                connection.sendall(drop)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=[server])
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stopping.set()
            thread.join()
