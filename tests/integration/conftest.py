"""The alert store on a fresh database, and the right to evaluate on it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from storage.alerts import AlertStore
from storage.lease import EvaluatorLease


@pytest.fixture
def store(engine: Engine) -> AlertStore:
    return AlertStore(engine)


@pytest.fixture
def lease(store: AlertStore) -> Iterator[EvaluatorLease]:
    lease = store.acquire_lease()
    assert lease is not None
    yield lease
    lease.release()
