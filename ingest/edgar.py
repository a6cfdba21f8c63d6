"""Filings with the SEC as they come in, from EDGAR's list of current filings.

https://www.sec.gov/about/developer-resources and https://www.sec.gov/os/accessing-edgar-data: at most ten requests a
second, and a User-Agent that says who asks. Here it is one request in `gap_seconds`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from xml.etree.ElementTree import Element

from bearometer import __version__
from bearometer.clock import Clock
from bearometer.errors import Rejected, Transient
from bearometer.source_settings import EdgarSettings
from ingest.fetch import shown_url, with_params
from ingest.polled import Item, Page, Place, Web, read_json
from ingest.rows import parse_time
from ingest.safe_xml import NotXml, parse_xml
from ingest.source import RawPost, Unreadable
from ingest.text import clean_text, strip_html

__all__ = ["Filings"]

PAGE = 100
"""Filings in an answer; the SEC gives no more."""
MAX_START = 1_900
"""How far back a round pages after a long stop."""
_OVERLAP_SECONDS = 600
"""A filing may turn up so much later than one that was accepted after it."""
_TICKERS_SECONDS = 86_400.0
_ATOM = "{http://www.w3.org/2005/Atom}"
_TITLE = re.compile(r"(?P<form>\S.{0,40}?) - (?P<company>.{1,200}) \((?P<cik>\d{1,10})\) \((?P<role>[^()]{1,40})\)\s*")
_ACCESSION = re.compile(r"accession-number=(\d{10}-\d{2}-\d{6})")
_SPACES = re.compile(r"\s+")


@dataclass(slots=True)
class Filings:
    """A filing is one post: who filed which form with which items, for all filers' symbols; id: the accession number.

    A filing of several companies stands in the list once for each, and is put together. One that is updated does not
    come again.
    """

    settings: EdgarSettings
    clock: Clock
    tickers: dict[int, str] = field(default_factory=dict)
    tickers_due: float = 0.0

    def ask(self, web: Web, place: Place, known: Callable[[str], bool], where: str) -> Page:
        """One page of one form: `place` says which, and whether there was a whole round before."""
        headers = {"User-Agent": f"bearometer/{__version__} {self.settings.contact}"}
        self._read_tickers(web, headers)
        floors = {form: at for form, at in _dict(place.get("floors")).items() if form in self.settings.forms}
        turn, start, top = _number(place.get("turn")), _number(place.get("start")), _number(place.get("top"))
        if turn >= len(self.settings.forms):  # there are fewer than at the last start
            turn, start, top = 0, 0, 0
        form = self.settings.forms[turn]
        query = {"action": "getcurrent", "type": form, "owner": "include", "start": str(start)}
        url = with_params(self.settings.url, {**query, "count": str(PAGE), "output": "atom"})
        body = web.get(url, "application/atom+xml", headers)
        entries = [] if body is None else _entries(body, url)
        items = list(self._filings(entries, where))
        times = [int(post.published_at.timestamp()) for post in map(_post, items) if post and post.published_at]
        top = min(max([top, *times]), int(self.clock.now().timestamp()))
        # At the first start there is no floor, and one page is read: the past has no end.
        floor = _number(floors.get(form)) - _OVERLAP_SECONDS if form in floors else None
        if floor is not None and len(entries) >= PAGE and start < MAX_START and min(times, default=0) >= floor:
            return Page(items, {"floors": floors, "turn": turn, "start": start + PAGE, "top": top}, more=True)
        floors[form] = max(top, _number(floors.get(form)))
        following = (turn + 1) % len(self.settings.forms)
        return Page(items, {"floors": floors, "turn": following, "start": 0, "top": 0}, more=following > 0)

    def _read_tickers(self, web: Web, headers: dict[str, str]) -> None:
        """Once a day; while the list cannot be read at all, nothing is asked: filings would lose their symbols."""
        url = self.settings.tickers_url
        if url is None or (self.tickers and self.clock.monotonic() < self.tickers_due):
            return
        body = web.get(url, "application/json", headers)
        if body is not None:
            found = read_json(body, url)
            rows = found.values() if isinstance(found, dict) else ()
            tickers: dict[int, str] = {}
            for row in rows:
                match row:
                    case {"cik_str": int(cik), "ticker": str(ticker)}:
                        tickers.setdefault(cik, ticker)  # the first of a company is its main one
            if not tickers:
                message = f"{shown_url(url)} is no list of ticker symbols as the SEC writes it"
                raise Transient(message)
            self.tickers = tickers
        self.tickers_due = self.clock.monotonic() + _TICKERS_SECONDS

    def _filings(self, entries: list[Element], where: str) -> Iterator[Item]:
        found: dict[str, RawPost] = {}
        for number, entry in enumerate(entries, start=1):
            position = f"{where}, entry {number}"
            try:
                post = self._filing(entry, position)
            except Rejected as error:
                yield Item(_child(entry, "id") or position, Unreadable(position, error.reason, error.detail))
                continue
            assert post.native_id is not None
            first = found.setdefault(post.native_id, post)
            found[post.native_id] = replace(first, symbols=tuple(dict.fromkeys((*first.symbols, *post.symbols))))
        for key, post in found.items():
            yield Item(key, post)

    def _filing(self, entry: Element, position: str) -> RawPost:
        title = clean_text(_child(entry, "title"))
        summary = _SPACES.sub(" ", clean_text(strip_html(_child(entry, "summary")))).strip()
        named = _TITLE.fullmatch(title)
        accession = _ACCESSION.search(_child(entry, "id"))
        form, company, cik = (named["form"], named["company"], int(named["cik"])) if named else ("", title, 0)
        _, item, items = summary.partition(" Item ")
        text = f"{company} filed form {form}" if named else title
        link = entry.find(f"{_ATOM}link")
        return RawPost(
            text=f"{text}. Item {items}" if item else f"{text}.",
            published_at=parse_time(_child(entry, "updated")),
            position=position,
            native_id=accession.group(1) if accession else _child(entry, "id") or None or title,
            author=company or None,
            url=None if link is None else link.get("href"),
            language="en",
            symbols=(self.tickers[cik],) if cik in self.tickers else (),
        )


def _entries(body: bytes, url: str) -> list[Element]:
    try:
        root = parse_xml(body)
    except NotXml as error:
        message = f"{shown_url(url)} cannot be read: {error}"
        raise Transient(message) from None
    if root.tag != f"{_ATOM}feed":
        message = f"{shown_url(url)} is no Atom feed"
        raise Transient(message)
    return root.findall(f"{_ATOM}entry")


def _child(entry: Element, name: str) -> str:
    return (entry.findtext(f"{_ATOM}{name}") or "").strip()


def _post(item: Item) -> RawPost | None:
    return item.what if isinstance(item.what, RawPost) else None


def _dict(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
