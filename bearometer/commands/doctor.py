"""`bearometer doctor`: does everything answer that the settings name?"""

import json
import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from bearometer.commands.notifiers import WHAT_TO_SET
from bearometer.errors import BearometerError, Failed, Misconfigured, Unavailable
from bearometer.terminal import plain

if TYPE_CHECKING:
    from bearometer.settings import Settings

__all__ = ["Finding", "doctor", "examine", "register"]

ADDRESSES = {
    "broker": "`kafka.servers`",
    "postgres": "`postgres.url`",
    "redis": "`redis.url`",
    "email": "`email.host`",
    "slack": "`slack.bot_token`",
}


@dataclass(frozen=True)
class Finding:
    """What one check found, in one line; when it is not `ok`, the line says how to mend it."""

    check: str
    ok: bool
    detail: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    check: Annotated[
        list[str] | None, typer.Option(help="Do this check only; may be given several times.", metavar="NAME")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write one JSON list instead of lines.")] = False,
) -> None:
    """Check the broker, both stores, the model and the notifiers, one line each: what is wrong and how to mend it.

    Nothing is changed and nothing is sent: a Slack webhook is only looked at, a mail server only logged in to. Ends
    with code 0 when all is well, 1 when anything is not, 2 when the settings themselves cannot be read.

    Example: bearometer --config bearometer.toml doctor
    Example: bearometer doctor --check postgres --check redis
    """
    from bearometer.settings import load_settings

    settings = load_settings()
    findings = []
    for finding in examine(settings, check):
        findings.append(finding)
        if not as_json:
            print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.check:9} {finding.detail}", flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2))
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def examine(settings: "Settings", only: Collection[str] | None = None) -> Iterator[Finding]:
    """Run each check in turn; none raises. A server that does not answer is waited for as long as its settings say.

    Raises Misconfigured at once for a name in `only` that is no check's.
    """
    checks = _checks()
    unknown = set(only or ()) - checks.keys()
    if unknown:
        message = f"there is no check `{min(unknown)}`; there are {', '.join(checks)}"
        raise Misconfigured(message)
    configured = {"slack": settings.slack.bot_token or settings.slack.webhook_url, "email": settings.email.host}
    wanted = only or [name for name in checks if configured.get(name, True)]
    return (_examine_one(name, checks[name], settings) for name in checks if name in wanted)


def _checks() -> "dict[str, Callable[[Settings], str]]":
    return {
        "broker": _check_broker,
        "postgres": _check_postgres,
        "redis": _check_redis,
        "model": _check_model,
        "notifiers": _check_notifiers,
        "slack": _check_slack,
        "email": _check_email,
    }


def _examine_one(name: str, check: "Callable[[Settings], str]", settings: "Settings") -> Finding:
    logging.disable(logging.CRITICAL)  # what the clients of the servers say while trying is said in our line
    try:
        return Finding(name, True, check(settings))
    except Unavailable as error:
        setting = ADDRESSES.get(name, "the settings")
        return Finding(name, False, f"{plain(str(error))}: is it running, and is {setting} right?")
    except BearometerError as error:
        return Finding(name, False, plain(str(error)))
    except Exception as error:  # a defect must not hide the other findings; its text might hold a secret
        return Finding(name, False, f"an unexpected {type(error).__name__}: please report it")
    finally:
        logging.disable(logging.NOTSET)


def _check_broker(settings: "Settings") -> str:
    from ingest.kafka import check_broker, count_partitions

    check_broker(settings.kafka)
    topic, wanted = settings.kafka.topic, settings.kafka.partitions
    found = count_partitions(settings.kafka, topic)
    if found is None:
        return f"{settings.kafka.servers} answers; the topic {topic} will be made by the first worker"
    if found != wanted:
        message = f"`kafka.partitions` is {wanted}, and the topic {topic} has {found}: set it to {found}"
        raise Misconfigured(message)
    return f"{settings.kafka.servers} answers; the topic {topic} has {found} partitions"


def _check_postgres(settings: "Settings") -> str:
    from storage.database import check_database, connect

    engine = connect(settings.postgres)
    try:
        check_database(engine)
    finally:
        engine.dispose()
    return "answers, and its schema fits this program"


def _check_redis(settings: "Settings") -> str:
    from storage.windows import WindowStore

    WindowStore(settings.redis).check()
    return "answers"


def _check_model(settings: "Settings") -> str:
    from model.classifier import Passage
    from model.load import load_classifier

    classifier = load_classifier(settings.model)
    (judgement,) = classifier.classify(classifier.prepare([Passage("The results were far worse than feared.")]))
    if judgement is None:
        message = f"the model {classifier.version} gives no usable answer: choose another by `model.path`"
        raise Failed(message)
    return f"{classifier.version} scores"


def _check_notifiers(settings: "Settings") -> str:
    from alerts.route import build_notifiers

    names = [notifier.name for notifier in build_notifiers(settings)]
    if not names:
        return f"none, so alerts are only stored; to tell people {WHAT_TO_SET}"
    return ", ".join(names)


def _check_slack(settings: "Settings") -> str:
    from alerts.slack import check
    from alerts.slack_bot import check_bot

    if settings.slack.bot_token is not None:
        return f"takes the token of {check_bot(settings.slack)}; nothing was posted"
    check(settings.slack)
    return "the webhook's address is well-formed; nothing was sent"


def _check_email(settings: "Settings") -> str:
    from alerts.email import check

    check(settings.email)
    return f"{settings.email.host}:{settings.email.port} takes our login; nothing was sent"
