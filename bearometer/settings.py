"""All settings: one frozen object, read once, from a TOML file and from the environment, which wins.

`BEAROMETER_ALERTS__COOLDOWN_SECONDS=60` in the environment is `cooldown_seconds = 60` under `[alerts]` in the
file that `BEAROMETER_CONFIG` (or `--config`) names. Secrets are best given by environment; they are never printed.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from bearometer.channel_settings import (
    AppriseSettings,
    DiscordSettings,
    EmailSettings,
    PagerDutySettings,
    SlackSettings,
    TeamsSettings,
    TelegramSettings,
    WebhookSettings,
)
from bearometer.errors import Misconfigured
from bearometer.settings_group import Group
from bearometer.source_settings import Sources
from bearometer.spam_settings import SpamSettings

__all__ = [
    "AlertSettings",
    "AppriseSettings",
    "DiscordSettings",
    "EmailSettings",
    "FeedSettings",
    "IngestSettings",
    "KafkaSettings",
    "ModelSettings",
    "PagerDutySettings",
    "PostgresSettings",
    "RedisSettings",
    "Settings",
    "SlackSettings",
    "SpamSettings",
    "StreamSettings",
    "TeamsSettings",
    "TelegramSettings",
    "WebhookSettings",
    "load_settings",
]


class KafkaSettings(Group):
    """Where the broker is, and the topics on it."""

    servers: str = Field("localhost:9092", description="host:port, several separated by commas")
    topic: str = Field("posts", description="topic of the posts")
    dead_topic: str = Field("posts.dead", description="topic of the messages that could not be used")
    partitions: int = Field(4, ge=1, le=1000, description="partitions of a topic that Bearometer creates")
    replication_factor: int = Field(1, ge=1, le=10, description="replicas of a topic that Bearometer creates")
    idempotence: bool = Field(True, description="idempotent producer; off only for the embedded broker")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: SecretStr | None = None
    ca_file: Path | None = Field(None, description="certificate authority, PEM, for SSL")
    connect_timeout_seconds: float = Field(10.0, gt=0, description="how long to look for the broker at start")

    @model_validator(mode="after")
    def _sasl_needs_a_user(self) -> "KafkaSettings":
        if self.security_protocol.startswith("SASL") and not (self.username and self.password):
            message = f"security_protocol is {self.security_protocol}; it needs username and password"
            raise ValueError(message)
        return self


class PostgresSettings(Group):
    """Where Postgres is."""

    url: SecretStr = Field(
        SecretStr("postgresql+psycopg2://bearometer@localhost:5432/bearometer"),
        description="SQLAlchemy URL",
    )
    connect_timeout_seconds: int = Field(10, ge=1)
    statement_timeout_seconds: int = Field(60, ge=1)
    keep_days: int | None = Field(None, ge=7, le=3660, description="what `bearometer prune` keeps, without --keep")


class RedisSettings(Group):
    """Where Redis is, and how long it keeps windows."""

    url: SecretStr = Field(SecretStr("redis://localhost:6379/0"), description="redis://, rediss:// or unix://")
    prefix: str = Field("bearometer", min_length=1, description="put before every key")
    ttl_hours: int = Field(50, ge=25, description="a bucket is kept this long after its last post was stored")
    timeout_seconds: float = Field(10.0, gt=0)


class FeedSettings(Group):
    """One RSS or Atom feed."""

    url: str
    name: str | None = Field(None, description="source name of its posts; the host when missing")
    interval_seconds: float = Field(120.0, ge=1)
    symbols: tuple[str, ...] = Field((), description="symbols that every post of this feed speaks of")


class IngestSettings(Group):
    """How posts come in."""

    feeds: tuple[FeedSettings, ...] = ()
    sources: Sources = ()
    heartbeat_seconds: float = Field(10.0, gt=0, description="how often a source says how far it has come")
    fetch_timeout_seconds: float = Field(20.0, gt=0)
    max_feed_bytes: int = Field(5_000_000, ge=1_000)
    max_redirects: int = Field(5, ge=0, le=20)
    allow_private_addresses: bool = Field(False, description="let feeds be fetched from private networks")
    max_text_chars: int = Field(20_000, ge=100, description="a longer text is rejected")
    earliest_published_at_year: int = Field(2000, ge=1971, description="posts from before are rejected")
    max_ahead_hours: float = Field(24.0, ge=0, description="posts from further in the future are rejected")
    link_names: bool = Field(True, description="find companies by their names too, where a source states no symbol")
    gazetteer: Path | None = Field(None, description="CSV of more names: symbol,name[,ambiguous]; wins over what ships")
    author_key: SecretStr | None = Field(
        None, description="secret: with it, authors are stored under pseudonyms that it makes"
    )
    mask_contacts: bool = Field(False, description="put [email] and [phone] for e-mail addresses and phone numbers")
    buffer_bytes: int = Field(32_000_000, ge=1_000_000, description="unsent posts of each source; when full, it waits")
    place_after_store: bool = Field(
        False, description="note where a source goes on only behind stored posts; for a broker that forgets"
    )

    @field_validator("author_key")
    @classmethod
    def _author_key_is_long(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value()) < 16:
            message = "a key must have 16 characters or more, best 32 by lot"
            raise ValueError(message)
        return key


class StreamSettings(Group):
    """How posts are taken from the topic and classified."""

    group: str = Field("bearometer-stream", description="consumer group; workers of one group share the work")
    batch_size: int = Field(64, ge=1, le=4096)
    batch_wait_seconds: float = Field(0.25, gt=0, description="how long an incomplete batch waits for more")
    cache_size: int = Field(50_000, ge=0, description="scores of texts kept for their repeats")
    session_timeout_seconds: float = Field(6.0, ge=6, description="a silent worker's partitions move after this")
    max_dead_share: float = Field(0.5, gt=0, le=1, description="a greater share of dead letters stops the worker")
    report_seconds: float = Field(60.0, gt=0, description="how often lag and speed are logged")
    registry_seconds: float = Field(5.0, gt=0, description="how often a worker looks which model is active")
    languages: tuple[str, ...] = Field(
        ("en",), min_length=1, description="posts in others are stored without a score; `und` (nobody knows) is scored"
    )
    story_hours: float = Field(
        24.0, gt=0, le=24, description="how far from a story's first post others that tell the same still belong to it"
    )

    @field_validator("languages")
    @classmethod
    def _languages_are_tags(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        for language in languages:
            if not re.fullmatch("[a-z]{2,3}", language):
                message = f"{language[:40]!r} is no language; it must be like en, of two or three small letters"
                raise ValueError(message)
        return languages


class ModelSettings(Group):
    """The classifier."""

    path: Path | None = Field(
        None, description="a folder of weights; when missing, the registry's active ones, or the shipped ones"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int = Field(0, ge=0, description="CPU threads; 0 takes as many as there are cores")
    max_tokens: int = Field(128, ge=16, le=512)


class AlertSettings(Group):
    """When people are told."""

    rules: Path | None = Field(None, description="a file of rules; one rule for all symbols when missing")
    false_alerts_per_symbol_year: float = Field(
        0.2, gt=0, le=365, description="expected false alerts per symbol and year"
    )
    history_days: int = Field(90, ge=7, description="how much of the past is looked at")
    min_posts: int = Field(5, ge=1, description="distinct negative posts that an alert needs, in one of its windows")
    min_authors: int = Field(3, ge=1, description="distinct authors that an alert needs, in the same window")
    pending_seconds: int = Field(0, ge=0, description="how long a spike must last before people are told")
    clear_factor: float = Field(
        100.0, ge=1, description="an alert clears when the odds are this many times better than its threshold"
    )
    clear_seconds: int = Field(3600, ge=0, description="how long a spike must be over before it is resolved")
    cooldown_seconds: int = Field(86_400, ge=0, description="after the end, no new alert for the symbol")
    idle_partition_seconds: float = Field(
        300.0, gt=0, description="a partition silent for this long is left out of the watermark"
    )
    poll_seconds: float = Field(1.0, gt=0, description="how often the evaluator looks for new posts")
    notify_resolved: bool = True
    watch_sources: bool = Field(
        True, description="tell when sources give nothing or the evaluation is behind, where no file has rules on that"
    )
    explain_seconds: float = Field(
        5.0,
        ge=0,
        le=60,
        description="longest wait for the words that made a new alert's top post negative; 0: not shown",
    )
    max_age_hours: float | None = Field(
        None,
        gt=0,
        description="spikes that ended longer ago than this are recorded and not sent; none: all sent",
    )
    notify: bool = Field(True, description="false: nobody is told by Slack or mail, whatever is configured")
    console: bool = Field(False, description="print alerts to standard output")
    directory: Path | None = Field(None, description="write each message here, as a person would see it")
    link_base: str | None = Field(
        None,
        pattern=r"^https?://[A-Za-z0-9]",
        description="web address of a page for alerts: messages link to LINK_BASE/alerts/ID; none: name the commands",
    )
    max_attempts: int = Field(20, ge=1, description="a message is given up after this many tries")
    max_backoff_seconds: float = Field(600.0, gt=0)


class Settings(BaseSettings):
    """Everything that can be set; see the groups."""

    model_config = SettingsConfigDict(
        env_prefix="BEAROMETER_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    redis: RedisSettings = RedisSettings()
    ingest: IngestSettings = IngestSettings()
    stream: StreamSettings = StreamSettings()
    spam: SpamSettings = SpamSettings()
    model: ModelSettings = ModelSettings()
    alerts: AlertSettings = AlertSettings()
    slack: SlackSettings = SlackSettings()
    email: EmailSettings = EmailSettings()
    pagerduty: PagerDutySettings = PagerDutySettings()
    teams: TeamsSettings = TeamsSettings()
    discord: DiscordSettings = DiscordSettings()
    telegram: TelegramSettings = TelegramSettings()
    webhook: WebhookSettings = WebhookSettings()
    apprise: AppriseSettings = AppriseSettings()
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; what is given in code (the embedded stack's addresses) over both."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings once; `path` (or `BEAROMETER_CONFIG`) names a TOML file.

    Raises Misconfigured with one line that names each wrong setting and what is allowed; never a secret's value.
    """
    path = path or (Path(os.environ["BEAROMETER_CONFIG"]) if os.environ.get("BEAROMETER_CONFIG") else None)
    if path is not None and not path.is_file():
        message = f"the settings file {path} does not exist"
        raise Misconfigured(message)
    _refuse_unknown_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    try:
        return FromFile()
    except ValidationError as error:
        raise Misconfigured("; ".join(_describe(dict(item)) for item in error.errors())) from None
    except (SettingsError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"the settings cannot be read: {error}"
        raise Misconfigured(message) from None


def _refuse_unknown_variables() -> None:
    for variable in os.environ:
        if variable.startswith("BEAROMETER_") and variable != "BEAROMETER_CONFIG":
            group = variable.removeprefix("BEAROMETER_").split("__")[0].lower()
            if group not in Settings.model_fields:
                message = (
                    f"the environment variable {variable} names no setting; groups: {', '.join(Settings.model_fields)}"
                )
                raise Misconfigured(message)


def _describe(item: dict[str, object]) -> str:
    location = item["loc"]
    assert isinstance(location, tuple)
    name = ".".join(str(part) for part in location) or "settings"
    if item["type"] == "extra_forbidden":
        return f"`{name}` is no setting"
    value = item.get("input")
    # A text where a whole group belongs may be the group's secret.
    is_shown = (
        isinstance(value, str | int | float | bool) and not _is_secret(name) and name not in Settings.model_fields
    )
    shown = f" is {value!r:.60}" if is_shown else ""
    return f"`{name}`{shown}; {str(item['msg']).removeprefix('Value error, ')}"


def _is_secret(name: str) -> bool:
    return name.endswith(("url", "password", "key", "token", "secret", "chat_id", "link_base", "headers", "params"))
