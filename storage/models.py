"""The registry of models in Postgres: which version scores, who decided so, and which worker does it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from bearometer.errors import Failed
from bearometer.registry import (
    ModelAction,
    ModelChange,
    ModelChoice,
    ModelState,
    ModelUsage,
    ModelVersion,
    WorkerReport,
    find_way_back,
)
from bearometer.terminal import plain
from storage.failures import translated_errors
from storage.post_statements import NO_TIMEOUT
from storage.tables import model_changes, models, posts, stream_workers

__all__ = ["ModelStore"]

REGISTRY_LOCK = 0x0BEA2005
FORGET_WORKERS_AFTER = timedelta(days=1)


class ModelStore:
    """Which model is used for what. Every change is one transaction, and changes take turns.

    Safe to share between threads. Every method raises Transient or Unavailable when the same call may succeed later.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def register(
        self, version: str, name: str, folder: Path, files: Mapping[str, str], card: Mapping[str, Any], who: str
    ) -> bool:
        """Make a version known, as a candidate; False when it was known: then its folder is this one from now on."""
        row = {"version": version, "name": name, "folder": str(folder), "files": dict(files), "card": dict(card)}
        with self._changing() as connection:
            known = connection.execute(select(models.c.version).where(models.c.version == version)).scalar_one_or_none()
            if known is not None:
                connection.execute(update(models).where(models.c.version == version).values(**row))
                return False
            connection.execute(insert(models).values(state=str(ModelState.CANDIDATE), registered_by=who, **row))
            return True

    def versions(self) -> list[ModelVersion]:
        """All that are registered, in the order in which they were."""
        query = select(models).order_by(models.c.registered_at, models.c.version)
        with self._reading() as connection:
            return [_version(row) for row in connection.execute(query).mappings()]

    def find(self, beginning: str) -> ModelVersion:
        """The version that is called so, or the only one that begins so; Failed, in one line, when there is none."""
        found = [model for model in self.versions() if model.version.startswith(beginning)]
        exact = [model for model in found if model.version == beginning]
        if len(exact or found) != 1:
            problem = "no registered model begins" if not found else f"{len(found)} registered models begin"
            message = f"{problem} with {plain(beginning, 100)!r}; `bearometer models list` shows them"
            raise Failed(message)
        return (exact or found)[0]

    def chosen(self) -> ModelChoice:
        """What stream workers are to use now; cheap enough to ask every few seconds."""
        query = select(models).where(models.c.state.in_(["active", "shadow"]))
        with self._reading() as connection:
            found = {row["state"]: _version(row) for row in connection.execute(query).mappings()}
        return ModelChoice(found.get("active"), found.get("shadow"))

    def promote(self, version: str, who: str) -> str | None:
        """Make a registered version the active one; gives the version before, None for the shipped weights.

        The one before is retired; a shadow that is promoted is no shadow any more. Failed when it is active already.
        """
        with self._changing() as connection:
            previous = _in_state(connection, ModelState.ACTIVE)
            if previous == version:
                message = f"{version} is the active model already"
                raise Failed(message)
            _activate(connection, version)
            _note(connection, ModelAction.PROMOTE, who, version, previous)
            return previous

    def way_back(self) -> tuple[ModelVersion | None, ...]:
        """What rollbacks would bring back, the next one first; the shipped weights (None) are the last."""
        with self._reading() as connection:
            return _way_back(connection)

    def rollback(self, who: str, expected: str | None) -> str | None:
        """Make the version before the active one active again; gives the one that was.

        `expected` is the version that it should lead to, None for the shipped weights: Failed when it does not,
        because somebody else was quicker, and when nothing is promoted.
        """
        with self._changing() as connection:
            way = _way_back(connection)
            if not way:
                message = "nothing is promoted: the shipped weights are in use, and there is nothing before them"
                raise Failed(message)
            target = way[0].version if way[0] else None
            if target != expected:
                message = "the registry was changed meanwhile; look at `bearometer models list` and try again"
                raise Failed(message)
            previous = _in_state(connection, ModelState.ACTIVE)
            _activate(connection, target)
            _note(connection, ModelAction.ROLLBACK, who, target, previous)
            return previous

    def shadow(self, version: str | None, who: str) -> str | None:
        """Make a version the shadow, or have none for None; gives the shadow before, which is what it was again.

        Failed when the version is the active one: there would be nothing to compare.
        """
        with self._changing() as connection:
            if version is not None and _in_state(connection, ModelState.ACTIVE) == version:
                message = f"{version} is the active model: it cannot be its own shadow"
                raise Failed(message)
            previous = _in_state(connection, ModelState.SHADOW)
            if previous == version:
                return previous
            if previous is not None:
                _set_state(connection, previous, _state_without_use(connection, previous))
            if version is not None:
                _set_state(connection, version, ModelState.SHADOW)
            action = ModelAction.UNSHADOW if version is None else ModelAction.SHADOW
            _note(connection, action, who, version, previous)
            return previous

    def changes(self) -> list[ModelChange]:
        """Everything that was done to the registry but registering, in order."""
        with self._reading() as connection:
            return _changes(connection)

    def usage(self, since: datetime | None = None) -> list[ModelUsage]:
        """How many stored posts each version scored, registered or not, the latest first; looks at every post.

        With `since`, only posts published then or later.
        """
        last = func.max(posts.c.stored_at)
        query = select(posts.c.model, func.count().label("posts"), func.min(posts.c.stored_at).label("first"))
        query = query.add_columns(last.label("last")).group_by(posts.c.model).order_by(last.desc(), posts.c.model)
        if since is not None:
            query = query.where(posts.c.published_at >= since)
        with self._reading() as connection:
            connection.execute(NO_TIMEOUT)
            return [
                ModelUsage(row.model, row.posts, row.first.astimezone(UTC), row.last.astimezone(UTC))
                for row in connection.execute(query)
            ]

    def report(self, worker: WorkerReport) -> None:
        """Note what a worker says of itself, in place of what it said before; worker rows a day old are removed."""
        row = {name: _clean(value) for name, value in asdict(worker).items()}
        added = insert(stream_workers).values(seen_at=func.clock_timestamp(), **row)
        replaced = {name: added.excluded[name] for name in (*row, "seen_at") if name != "id"}
        old = stream_workers.c.seen_at < func.clock_timestamp() - FORGET_WORKERS_AFTER
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(added.on_conflict_do_update(index_elements=["id"], set_=replaced))
            connection.execute(stream_workers.delete().where(old))

    def leave(self, worker_id: str) -> None:
        """A worker ends in order: it is no longer counted."""
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(stream_workers.delete().where(stream_workers.c.id == worker_id))

    def workers(self, seen_within_seconds: float) -> list[WorkerReport]:
        """The workers that have reported lately, by id."""
        columns = [column for column in stream_workers.c if column.name != "seen_at"]
        since = func.clock_timestamp() - timedelta(seconds=seen_within_seconds)
        query = select(*columns).where(stream_workers.c.seen_at >= since).order_by(stream_workers.c.id)
        with self._reading() as connection:
            return [WorkerReport(**row) for row in connection.execute(query).mappings()]

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction that no other change of the registry runs beside."""
        with translated_errors(self._engine), self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": REGISTRY_LOCK})
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated_errors(self._engine), self._engine.connect() as connection:
            yield connection


def _activate(connection: Connection, version: str | None) -> None:
    _set_states(connection, ModelState.ACTIVE, ModelState.RETIRED)
    if version is not None:
        _set_state(connection, version, ModelState.ACTIVE)


def _in_state(connection: Connection, state: ModelState) -> str | None:
    return connection.execute(select(models.c.version).where(models.c.state == str(state))).scalar_one_or_none()


def _state_without_use(connection: Connection, version: str) -> ModelState:
    promotions = select(model_changes.c.number).where(
        model_changes.c.version == version, model_changes.c.action == str(ModelAction.PROMOTE)
    )
    was_active = connection.execute(promotions.limit(1)).first() is not None
    return ModelState.RETIRED if was_active else ModelState.CANDIDATE


def _set_states(connection: Connection, before: ModelState, after: ModelState) -> None:
    connection.execute(update(models).where(models.c.state == str(before)).values(state=str(after)))


def _set_state(connection: Connection, version: str, state: ModelState) -> None:
    changed = connection.execute(update(models).where(models.c.version == version).values(state=str(state)))
    if changed.rowcount != 1:
        message = f"{plain(version, 100)} is not registered; `bearometer models list` shows what is"
        raise Failed(message)


def _note(connection: Connection, action: ModelAction, who: str, version: str | None, previous: str | None) -> None:
    connection.execute(insert(model_changes).values(action=str(action), who=who, version=version, previous=previous))


def _changes(connection: Connection) -> list[ModelChange]:
    return [
        ModelChange(row.changed_at.astimezone(UTC), row.who, ModelAction(row.action), row.version, row.previous)
        for row in connection.execute(select(model_changes).order_by(model_changes.c.number))
    ]


def _way_back(connection: Connection) -> tuple[ModelVersion | None, ...]:
    way = find_way_back(_changes(connection))
    known = {row["version"]: _version(row) for row in connection.execute(select(models)).mappings()}
    return tuple(known[version] if version is not None else None for version in way)


def _version(row: RowMapping) -> ModelVersion:
    return ModelVersion(
        version=row["version"],
        name=row["name"],
        folder=Path(row["folder"]),
        files=row["files"],
        state=ModelState(row["state"]),
        registered_at=row["registered_at"].astimezone(UTC),
        registered_by=row["registered_by"],
        card=row["card"],
    )


def _clean(value: Any) -> Any:
    return value.replace("\0", "")[:2000] if isinstance(value, str) else value
