"""Real servers from wheels as child processes: a Kafka-compatible broker, PostgreSQL and Redis, for one run directory.

They listen on a loopback port (the broker) and on private sockets (the others), and they end when we do, however
that happens. What is written to Postgres stays in the run directory; the broker and Redis start empty.
"""

from pathlib import Path
from types import TracebackType

from bearometer.child import last_line
from bearometer.embedded_broker import Broker
from bearometer.embedded_postgres import Postgres
from bearometer.embedded_redis import Redis
from bearometer.errors import Failed
from bearometer.run_dir import RunDir

__all__ = ["Servers"]


class Servers:
    """The three servers, as a context manager; `with` returns when each of them answers.

    `durable=False` lets Postgres skip waiting for the disk, for tests: rows survive any crash but the machine's.
    Raises MissingExtra when a wheel is missing, Misconfigured or Failed, in one line, when the run directory cannot
    be used or a server does not start; whatever had been started is stopped again.
    """

    def __init__(self, run_dir: Path, *, durable: bool = True) -> None:
        self._run_dir = RunDir(run_dir)
        self.broker = Broker(self._run_dir)
        self.postgres = Postgres(self._run_dir, durable=durable)
        self.redis = Redis(self._run_dir)

    @property
    def run_dir(self) -> Path:
        """The directory that holds everything, logs included."""
        return self._run_dir.path

    @property
    def environment(self) -> dict[str, str]:
        """The settings that lead a worker to these servers."""
        return {
            "BEAROMETER_KAFKA__SERVERS": self.broker.address,
            # The broker forgets its messages: where a source goes on must not be ahead of the stores.
            "BEAROMETER_INGEST__PLACE_AFTER_STORE": "true",
            "BEAROMETER_KAFKA__IDEMPOTENCE": "false",  # an idempotent producer never recovers from its restart
            "BEAROMETER_POSTGRES__URL": self.postgres.url(),
            "BEAROMETER_REDIS__URL": self.redis.url(),
        }

    def start(self) -> None:
        """Start all and block until each answers, a few seconds the first time."""
        self._run_dir.open()
        try:
            self.broker.start()
            self.redis.start()
            self.postgres.start()
        except BaseException:
            self.stop()
            raise

    def check(self) -> None:
        """Raise Failed, in one line, with the last words of a server that has ended by itself."""
        for server in (self.broker, self.redis, self.postgres):
            if server.pid is None:
                message = f"{server.name} has ended: {last_line(server.log)}; see {server.log}"
                raise Failed(message)

    def stop(self) -> None:
        """Stop all and block until they are gone; safe to call twice."""
        servers = (self.broker, self.redis, self.postgres)
        for server in servers:
            server.ask_to_stop()
        for server in servers:
            server.stop()
        self._run_dir.close()

    def __enter__(self) -> "Servers":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
