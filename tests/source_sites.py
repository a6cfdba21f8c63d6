"""The sites that sources ask, as they answer, with invented companies; each gives its posts as the real one would."""

import re
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

from tests.source_server import Asked, as_json, reply

__all__ = ["Edgar", "Gdelt", "HackerNews", "Pages", "StockTwits"]

TICKERS = {
    "0": {"cik_str": 1234567, "ticker": "HBRM", "title": "Harbor Mills Inc"},
    "1": {"cik_str": 7654321, "ticker": "NTHW", "title": "Northwind Corp"},
    "2": {"cik_str": 7654321, "ticker": "NTHW-PA", "title": "Northwind Corp"},
}


class Edgar:
    """The list of current filings, newest first, 100 a page; a filing is (accession, form, company, cik, time)."""

    def __init__(self) -> None:
        self.filings: list[tuple[str, str, str, int, str]] = []

    def publish(self, count: int, form: str = "8-K", company: str = "HARBOR MILLS INC", cik: int = 1234567) -> None:
        for _ in range(count):
            number = len(self.filings)
            at = f"2026-03-02T{7 + number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}-05:00"
            self.filings.append((f"0001234567-26-{number:06}", form, company, cik, at))

    def __call__(self, asked: Asked) -> None:
        if asked.path.endswith("company_tickers.json"):
            return as_json(TICKERS)(asked)
        query = asked.query
        found = [each for each in reversed(self.filings) if each[1].startswith(query["type"])]
        start = int(query["start"])
        entries = "".join(map(self._entry, found[start : start + int(query["count"])]))
        feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Latest Filings</title>{entries}</feed>'
        body = f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n{feed}'.encode("iso-8859-1")
        return reply(200, body, Content_Type="application/atom+xml")(asked)

    @staticmethod
    def _entry(filing: tuple[str, str, str, int, str]) -> str:
        accession, form, company, cik, at = filing
        summary = (
            f"\n <b>Filed:</b> {at[:10]} <b>AccNo:</b> {accession} <b>Size:</b> 1 MB\n"
            "<br>Item 2.02: Results of Operations and Financial Condition\n<br>Item 9.01: Financial Statements\n"
        )
        link = f"https://www.sec.gov/Archives/edgar/data/{cik}/{accession.replace('-', '')}/{accession}-index.htm"
        return (
            f"<entry><title>{escape(f'{form} - {company} ({cik:010}) (Filer)')}</title>"
            f'<link rel="alternate" type="text/html" href="{link}"/><summary type="html">{escape(summary)}</summary>'
            f'<updated>{at}</updated><category scheme="https://www.sec.gov/" label="form type" term="{form}"/>'
            f"<id>urn:tag:sec.gov,2008:accession-number={accession}</id></entry>"
        )


class Gdelt:
    """Articles by the time that they were seen; 250 an answer, the oldest first."""

    def __init__(self) -> None:
        self.articles: list[tuple[datetime, str]] = []
        """When it was seen, and its title."""

    def __call__(self, asked: Asked) -> None:
        query = asked.query
        start, end = (_compact(query[name]) for name in ("startdatetime", "enddatetime"))
        assert (query["mode"], query["format"], query["sort"]) == ("artlist", "json", "dateasc")
        found = sorted((each for each in self.articles if start <= each[0] <= end), key=lambda each: each[0])
        shown = [
            {
                "url": f"https://news.example/{title.replace(' ', '-').lower()}",
                "url_mobile": "",
                "title": title,
                "seendate": f"{seen:%Y%m%dT%H%M%SZ}",
                "socialimage": "",
                "domain": "news.example",
                "language": "English",
                "sourcecountry": "United States",
            }
            for seen, title in found[: int(query["maxrecords"])]
        ]
        return as_json({"articles": shown} if shown else {})(asked)


class HackerNews:
    """Algolia's search by date: the newest first, `hitsPerPage` an answer. A hit is (number, time, fields)."""

    def __init__(self) -> None:
        self.items: list[tuple[int, int, dict[str, Any]]] = []

    def __call__(self, asked: Asked) -> None:
        limits = dict(re.findall(r"created_at_i(>=|<=)(\d+)", asked.query["numericFilters"]))
        low, high = int(limits[">="]), int(limits.get("<=", 10**10))
        found = sorted((each for each in self.items if low <= each[1] <= high), key=lambda each: -each[1])
        hits = [
            {"objectID": str(number), "created_at_i": at, "created_at": _iso(at), "author": "ann", **fields}
            for number, at, fields in found[: int(asked.query["hitsPerPage"])]
        ]
        return as_json({"hits": hits, "nbHits": len(found), "page": 0, "query": asked.query["query"]})(asked)


class StockTwits:
    """Streams of symbols: the newest first, 30 an answer, with `since` and `max`. A message is (number, text)."""

    def __init__(self) -> None:
        self.streams: dict[str, list[tuple[int, str]]] = {}

    def __call__(self, asked: Asked) -> None:
        symbol = asked.path.rsplit("/", 1)[1].removesuffix(".json")
        if symbol not in self.streams:
            return reply(404, b'{"response":{"status":404},"errors":[{"message":"Symbol not found"}]}')(asked)
        since, before = int(asked.query.get("since", 0)), int(asked.query.get("max", 10**12))
        found = [each for each in reversed(self.streams[symbol]) if since < each[0] < before]
        page = found[: int(asked.query["limit"])]
        messages = [
            {
                "id": number,
                "body": text,
                "created_at": _iso(1_772_452_800 + number),
                "user": {"id": 1, "username": "ann", "name": "Ann", "followers": 42},
                "symbols": [{"id": 1, "symbol": symbol, "title": "Harbor Mills"}],
                "entities": {"sentiment": {"basic": "Bearish"}},
                "likes": {"total": 3, "user_ids": []},
            }
            for number, text in page
        ]
        cursor = {"more": len(found) > len(page), "since": page[0][0] if page else None, "max": None}
        return as_json({"response": {"status": 200}, "cursor": cursor, "messages": messages})(asked)


class Pages:
    """An interface of somebody's own: posts by number, `after` says behind which, `limit` (3) how many at most."""

    def __init__(self, count: int = 0) -> None:
        self.count = count

    def publish(self, count: int) -> None:
        self.count += count

    def __call__(self, asked: Asked) -> None:
        after = int(asked.query.get("after", 0))
        numbers = range(after + 1, min(self.count, after + int(asked.query.get("limit", 3))) + 1)
        posts = [
            {"n": number, "body": {"plain": f"Harbor Mills opens plant {number}"}, "at": 1_772_452_800 + number}
            for number in numbers
        ]
        return as_json({"data": {"posts": posts}, "meta": {"next": max(numbers, default=after)}})(asked)


def _compact(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _iso(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
