"""The right to evaluate: one process at a time has it, against a real Postgres."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from bearometer.errors import Unavailable
from bearometer.settings import PostgresSettings
from storage.alerts import AlertStore
from storage.database import connect
from storage.lease import EvaluatorLease
from tests.conditions import WaitUntil
from tests.stored_alerts import EVERYBODY, HOUR, alert, delivery
from tests.stored_samples import NOON

KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pydantic import SecretStr
from bearometer.settings import PostgresSettings
from storage.alerts import AlertStore
from storage.database import connect

store = AlertStore(connect(PostgresSettings(url=SecretStr(sys.argv[1]))))
lease = store.acquire_lease()
with store.claim_delivery(datetime(2100, 1, 1, tzinfo=UTC), {"slack"}) as claimed:
    print(claimed is not None and lease is not None, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_one_process_at_a_time_has_the_lease(store: AlertStore, database_url: str) -> None:
    first = store.acquire_lease()
    assert first is not None
    other = AlertStore(connect(PostgresSettings(url=SecretStr(database_url))))

    assert other.acquire_lease() is None
    assert store.acquire_lease() is None
    first.release()
    first.release()

    second = other.acquire_lease()
    assert second is not None
    with pytest.raises(Unavailable, match="lease"):
        first.commit(NOON, [], [])
    second.release()


def test_a_lease_whose_connection_was_lost_writes_nothing_more(
    store: AlertStore, lease: EvaluatorLease, engine: Engine, wait_until: WaitUntil
) -> None:
    lease.commit(NOON, [], [])
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
                " WHERE locktype = 'advisory' AND datname = current_database()"
            )
        )
    successor = wait_until(store.acquire_lease, what="another gets the lease")
    assert successor is not None
    successor.commit(NOON + HOUR, [], [])

    for _ in range(2):
        with pytest.raises(Unavailable):
            lease.commit(NOON + 2 * HOUR, [alert()], [])

    assert successor.as_of() == NOON + HOUR
    successor.release()


def test_a_killed_process_frees_its_lease_and_its_delivery_at_once(
    store: AlertStore, database_url: str, wait_until: WaitUntil
) -> None:
    lease = store.acquire_lease()
    assert lease is not None
    lease.commit(NOON, [alert()], [delivery(alert())])
    lease.release()

    killed = subprocess.run(
        [sys.executable, "-c", KILLED, database_url], capture_output=True, timeout=60, check=False, text=True
    )
    assert (killed.returncode, killed.stdout) == (-9, "True\n"), killed.stderr

    again = wait_until(store.acquire_lease, seconds=5, what="the lease is free")
    assert again is not None
    again.release()

    def claim() -> bool:
        with store.claim_delivery(datetime(2100, 1, 1, tzinfo=UTC), EVERYBODY) as claimed:
            return claimed is not None and claimed.delivery.attempts == 0

    wait_until(claim, seconds=5, what="the delivery is free")


def test_the_server_looks_whether_who_has_the_lease_is_still_there(lease: EvaluatorLease) -> None:
    with lease.transaction() as connection:
        assert connection.execute(text("SHOW client_connection_check_interval")).scalar_one() == "2s"
