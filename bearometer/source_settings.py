"""`[[ingest.sources]]`: one group for each kind of source, told apart by `kind`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bearometer.source_base import FEEDS, PolledGroup, Secret, SourceGroup
from bearometer.stream_source_settings import (
    BlueskySettings,
    KafkaTopicSettings,
    MastodonSettings,
    RedditSettings,
    WebhookSourceSettings,
    XSettings,
)

__all__ = [
    "KINDS",
    "EdgarSettings",
    "FileSettings",
    "GdeltSettings",
    "HackerNewsSettings",
    "JsonSettings",
    "SourceSettings",
    "Sources",
    "StockTwitsSettings",
]

MAPPED = ("id", "created_at", "text", "lang", "author", "followers", "retweets", "likes", "replies", "url", "symbols")
"""What `fields` may map: the names of `ingest.rows.FIELDS`."""


def _maps(*names: str) -> Callable[[dict[str, str]], dict[str, str]]:
    def only_these(fields: dict[str, str]) -> dict[str, str]:
        for name in fields:
            if name not in names:
                message = f"maps {name[:40]!r}; the names are {', '.join(names)}"
                raise ValueError(message)
        return fields

    return only_these


class EdgarSettings(PolledGroup):
    """Filings with the SEC as they come in."""

    kind: Literal["edgar"] = "edgar"
    contact: str = Field(
        pattern=r"^[ -~]*[^\s@]+@[^\s@]+\.[ -~]*$",
        max_length=200,
        description="who asks, with a mail address; the SEC wants it in the User-Agent and refuses others",
    )
    forms: tuple[str, ...] = Field(("8-K",), min_length=1, description="form types; 8-K takes 8-K/A too")
    url: str = Field("https://www.sec.gov/cgi-bin/browse-edgar", description="of the list of current filings")
    tickers_url: str | None = Field(
        "https://www.sec.gov/files/company_tickers.json",
        description="the SEC's list of symbols by filer, read once a day; none: filings come without symbols",
    )


class GdeltSettings(PolledGroup):
    """News articles that GDELT has found, by its DOC 2.0 API."""

    kind: Literal["gdelt"] = "gdelt"
    query: str = Field(min_length=3, max_length=2_000, description="as GDELT writes it: '\"Harbor Mills\"'")
    interval_seconds: float = Field(300.0, ge=5)
    gap_seconds: float = Field(6.0, ge=0.1, description="GDELT asks for one request in five seconds at most")
    first_hours: float = Field(1.0, gt=0, le=2_160, description="how far back the first start looks")
    overlap_minutes: float = Field(60.0, ge=0, le=1_440, description="how long after its time an article may turn up")
    url: str = "https://api.gdeltproject.org/api/v2/doc/doc"


class HackerNewsSettings(PolledGroup):
    """Stories and comments of Hacker News that hold the words of a query, by Algolia's search."""

    kind: Literal["hackernews"] = "hackernews"
    query: str = Field(min_length=1, max_length=500)
    items: tuple[Literal["story", "comment"], ...] = Field(("story", "comment"), min_length=1)
    first_hours: float = Field(1.0, gt=0, le=720, description="how far back the first start looks")
    overlap_minutes: float = Field(10.0, ge=0, le=1_440, description="how long after its time an item may turn up")
    url: str = "https://hn.algolia.com/api/v1/search_by_date"


class StockTwitsSettings(PolledGroup):
    """Messages of StockTwits about some symbols."""

    kind: Literal["stocktwits"] = "stocktwits"
    streams: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,20}$")], ...] = Field(
        min_length=1, description="symbols whose streams are read"
    )
    access_token: Secret | None = Field(None, description="raises the limit of requests; `env:NAME` names a variable")
    gap_seconds: float = Field(18.0, ge=0.1, description="200 requests an hour without a token")
    url: str = "https://api.stocktwits.com/api/2/streams/symbol"


class JsonSettings(PolledGroup):
    """Any HTTP interface that answers with a list in JSON."""

    kind: Literal["json"] = "json"
    url: str = Field(pattern=r"^https?://")
    items: str = Field("", description="dotted path of the list in the answer, such as `data.posts`; empty: the answer")
    fields: Annotated[dict[str, str], AfterValidator(_maps(*MAPPED, "title"))] = Field(
        {}, description="our names and dotted paths in an item, such as { text = 'body.plain' }"
    )
    html: bool = Field(False, description="whether texts are HTML, whose tags are to go")
    params: dict[str, Secret] = Field({}, description="query parameters; `env:NAME` names a variable")
    headers: dict[str, Secret] = Field({}, description="request headers; `env:NAME` names a variable")
    cursor_param: str | None = Field(None, description="query parameter that says where to go on")
    cursor_path: str | None = Field(None, description="dotted path of its next value in the answer")
    cursor_field: str | None = Field(None, description="or dotted path in an item: the greatest value is the next one")

    @model_validator(mode="after")
    def _one_cursor(self) -> "JsonSettings":
        given = [self.cursor_path, self.cursor_field].count(None)
        if (self.cursor_param is None) != (given == 2) or given == 0:
            message = "cursor_param needs one of cursor_path and cursor_field, and they need it"
            raise ValueError(message)
        return self


class FileSettings(SourceGroup):
    """A file of posts, JSONL or CSV, plain or gzipped; one that grows is followed."""

    kind: Literal["file"] = "file"
    path: Path
    fields: Annotated[dict[str, str], AfterValidator(_maps(*MAPPED))] = Field(
        {}, description="our names and the file's, such as { text = 'body' }"
    )
    follow: bool = Field(False, description="wait at its end for more; plain JSONL only")


SourceSettings = (
    EdgarSettings
    | GdeltSettings
    | HackerNewsSettings
    | StockTwitsSettings
    | RedditSettings
    | BlueskySettings
    | MastodonSettings
    | XSettings
    | JsonSettings
    | WebhookSourceSettings
    | KafkaTopicSettings
    | FileSettings
)


def _names_differ(sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
    names = [source.name for source in sources]
    for name in names:
        if name == FEEDS:
            message = f"the name {name!r} is that of [[ingest.feeds]]; take another"
            raise ValueError(message)
        if names.count(name) > 1:
            message = f"two sources have the name {name!r}; each needs its own"
            raise ValueError(message)
    return sources


KINDS: dict[str, type[SourceGroup]] = {
    str(group.model_fields["kind"].default): group for group in get_args(SourceSettings)
}
"""Each kind's settings."""


def _has_a_kind(source: object) -> object:
    if isinstance(source, Mapping) and source.get("kind") not in KINDS:
        message = f"has the kind {source.get('kind')!r:.40}; it must be one of {', '.join(KINDS)}"
        raise ValueError(message)
    return source


Sources = Annotated[
    tuple[Annotated[SourceSettings, Field(discriminator="kind"), BeforeValidator(_has_a_kind)], ...],
    AfterValidator(_names_differ),
]
"""All of them; each name once."""
