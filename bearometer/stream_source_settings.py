"""Settings of the sources that stream or are pushed to; see docs/sources_streaming.md."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from bearometer.source_base import PolledGroup, Secret, SourceGroup

__all__ = [
    "BlueskySettings",
    "KafkaTopicSettings",
    "MastodonSettings",
    "RedditSettings",
    "WebhookSourceSettings",
    "XSettings",
]

_MAPPED = ("id", "created_at", "text", "lang", "author", "followers", "retweets", "likes", "replies", "url", "symbols")
"""The names of `ingest.rows.FIELDS`."""


def _known_names(fields: dict[str, str]) -> dict[str, str]:
    for name in fields:
        if name not in _MAPPED:
            message = f"maps {name[:40]!r}; the names are {', '.join(_MAPPED)}"
            raise ValueError(message)
    return fields


FieldMap = Annotated[dict[str, str], AfterValidator(_known_names)]
"""Our names, and dotted paths in a message."""


class BlueskySettings(SourceGroup):
    """Posts of Bluesky, by Jetstream; no account is needed."""

    kind: Literal["bluesky"] = "bluesky"
    url: str = Field(
        "wss://jetstream.us-east.bsky.network/xrpc/network.bsky.jetstream.subscribeEvents",
        description="a Jetstream; one whose path ends in /subscribe is spoken to as version 1",
    )
    keywords: tuple[str, ...] = Field((), description="words and phrases, one of which a post must hold")
    cashtags: bool = Field(True, description="posts with any cashtag are taken as well; with neither, every post is")
    languages: tuple[str, ...] = Field((), description="posts that state other languages are left out; none: all")
    rewind_seconds: float = Field(5.0, ge=0, le=3600, description="how far to go back when the connection is renewed")
    idle_seconds: float = Field(60.0, gt=0, description="a connection silent for this long is renewed")
    max_message_bytes: int = Field(1_000_000, ge=1_000, description="a larger event is left out")


class MastodonSettings(SourceGroup):
    """Posts that one server of Mastodon knows: those of one hashtag, or all public ones."""

    kind: Literal["mastodon"] = "mastodon"
    server: str = Field("https://mastodon.social", pattern=r"^https?://[^/?#\s]+/?$", description="without a path")
    streaming_server: str | None = Field(
        None,
        pattern=r"^https?://[^/?#\s]+/?$",
        description="where it streams, if elsewhere: configuration.urls.streaming of SERVER/api/v2/instance, as https://",
    )
    access_token: Secret | None = Field(
        None, description="of an application of yours on that server, with scope `read:statuses`"
    )
    hashtag: str | None = Field(None, pattern=r"^[\w\u00b7]{1,100}$", description="without #; none: all public posts")
    local: bool = Field(False, description="only posts of the server's own people")
    keywords: tuple[str, ...] = Field((), description="words and phrases, one of which a post must hold")
    cashtags: bool = Field(
        True, description="posts with any cashtag are taken as well; with neither, and for a hashtag, every post is"
    )
    languages: tuple[str, ...] = Field((), description="posts that state other languages are left out; none: all")
    rewind_seconds: float = Field(
        300.0, ge=0, le=86_400, description="how far to go back for what was missed: posts of other servers come late"
    )
    max_missed: int = Field(2_000, ge=0, description="how many missed posts are fetched at most after a connection")
    idle_seconds: float = Field(60.0, gt=0, description="a connection silent for this long is renewed")
    max_message_bytes: int = Field(1_000_000, ge=1_000, description="a larger event is left out")


class RedditSettings(PolledGroup):
    """New posts and comments of subreddits; needs an application of type `script` or `web` at reddit.com/prefs/apps."""

    kind: Literal["reddit"] = "reddit"
    subreddits: tuple[Annotated[str, Field(pattern=r"^\w{2,50}$")], ...] = Field(
        min_length=1, max_length=100, description="without r/"
    )
    comments: bool = Field(True, description="their comments as well")
    client_id: Secret
    client_secret: Secret
    username: str = Field(pattern=r"^[\w-]{3,20}$", description="whose application it is; Reddit wants to be told")
    interval_seconds: float = Field(30.0, ge=2, description="how often it is asked, give or take a tenth")
    max_pages: int = Field(10, ge=1, le=10, description="pages of 100 to go back for what was missed; Reddit has ten")
    api_url: str = Field("https://oauth.reddit.com", pattern=r"^https?://[^/?#\s]+$")
    token_url: str = "https://www.reddit.com/api/v1/access_token"


class WebhookSourceSettings(SourceGroup):
    """Posts that other programs push, signed; see docs/sources_streaming.md for what they send."""

    kind: Literal["webhook"] = "webhook"
    host: str = Field("127.0.0.1", description="address to listen on; put a server that speaks TLS before it")
    port: int = Field(8787, ge=0, le=65535, description="0 takes any free one")
    path: str = Field("/posts", pattern=r"^/[!-~]*$")
    secret: Secret = Field(description="what signs: `whsec_` and 24 bytes or more in base64")
    previous_secret: Secret | None = Field(None, description="holds as well, while the senders change over")
    fields: FieldMap = Field({}, description="our names and dotted paths, such as { text = 'body.plain' }")
    answer_seconds: float = Field(30.0, ge=1, le=300, description="a request waits so long for its posts to be kept")
    request_seconds: float = Field(10.0, gt=0, le=300, description="a request must have come whole within this time")
    tolerance_seconds: float = Field(300.0, ge=1, le=3600, description="how far a sender's clock may be off")
    max_body_bytes: int = Field(1_000_000, ge=1_000, le=100_000_000)
    max_posts: int = Field(1_000, ge=1, description="posts in one request")
    max_requests_per_minute: int = Field(600, ge=1)
    max_connections: int = Field(32, ge=1, le=1000, description="requests that are open at once; one more gets 503")


class KafkaTopicSettings(SourceGroup):
    """A topic of somebody else's Kafka, whose messages are JSON objects, one post each."""

    kind: Literal["kafka"] = "kafka"
    servers: str = Field(min_length=1, description="host:port, several separated by commas")
    topic: str = Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")
    fields: FieldMap = Field({}, description="our names and dotted paths, such as { text = 'body.plain' }")
    start: Literal["latest", "earliest"] = Field("latest", description="where the first start begins")
    max_message_bytes: int = Field(1_000_000, ge=1_000, description="a larger message is left out")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password: Secret | None = None
    ca_file: Path | None = Field(None, description="certificate authority, PEM, for SSL")
    connect_timeout_seconds: float = Field(10.0, gt=0)

    @model_validator(mode="after")
    def _sasl_needs_a_user(self) -> "KafkaTopicSettings":
        if self.security_protocol.startswith("SASL") and not (self.username and self.password):
            message = f"security_protocol is {self.security_protocol}; it needs username and password"
            raise ValueError(message)
        return self


class XSettings(SourceGroup):
    """Posts of X that match rules, by the filtered stream of its API v2; needs an application at developer.x.com."""

    kind: Literal["x"] = "x"
    bearer_token: Secret = Field(description="of the application")
    rules: tuple[Annotated[str, Field(min_length=1, max_length=2048)], ...] = Field(
        min_length=1,
        max_length=1000,
        description="as X writes them: '($ACME OR \"Acme Corp\") lang:en -is:retweet'; kept the same there",
    )
    backfill_minutes: int = Field(
        0, ge=0, le=5, description="what a new connection goes back; X sells it to Enterprise"
    )
    idle_seconds: float = Field(40.0, gt=0, description="X sends something every 20 seconds; later, we connect anew")
    max_message_bytes: int = Field(1_000_000, ge=1_000, description="a larger post is left out")
    api_url: str = Field("https://api.x.com", pattern=r"^https?://[^/?#\s]+$")
