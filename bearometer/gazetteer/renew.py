"""Write `companies.csv` anew; needs `pip install pytickersymbols==1.17.10 english-words==2.0.2`.

    python -m bearometer.gazetteer.renew

pytickersymbols (MIT, its facts from Wikipedia) lists the members of stock indices; english-words (MIT) says which names
are words of the language as well. Neither is needed to run Bearometer: 350 ms of import, requests and beautifulsoup4
would be the price of some 1,800 rows. What is wrong or missing there is put right in `names.csv`, which wins.
"""

import csv
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["main"]

US = ("DOW JONES", "NASDAQ 100", "S&P 100", "S&P 500", "S&P 600")
ELSEWHERE = (
    *("AEX", "BEL 20", "CAC_40", "DAX", "EURO STOXX 50", "FTSE 100", "IBEX 35", "MDAX", "OMX Helsinki 25"),
    *("OMX Stockholm 30", "Switzerland 20", "NIKKEI 225"),
)
_LEGAL = re.compile(
    r"(?:,? (?:Inc|Incorporated|Corp|Corporation|Company|Co|plc|PLC|AG|SE|S\.?A|N\.?V|S\.?p\.?A|Ltd|Limited|LLC|LP|KGaA"
    r"|Oyj|AB|ASA|A/S|N\.A|and|&)\.?)+$"
)
_KIND = re.compile(
    r" (?:Pharmaceuticals?|Therapeutics|Bio[Ss]ciences|Biologics|Biotech(?:nology)?|Technolog(?:y|ies)|Semiconductors?"
    r"|Networks|Platforms|Holdings?|Group|Brands|Laboratories|Sciences|Worldwide|Enterprises?|Systems|Studios"
    r"|Resorts|Motor|Aerospace|Healthcare|Pharma)$"
)
_CLASS_LETTER = re.compile(r"[a-z][BC]$")
_SHORTEST = 5
"""Letters; "Arm" and "Lam" are more than two companies' names."""


def main() -> None:
    """Write the file beside this module and say how many rows it has."""
    words = import_module("english_words").get_english_words_set(["web2", "gcide"], lower=True)
    rows = sorted(_rows(import_module("pytickersymbols.indices_data").INDICES, words))
    path = Path(__file__).with_name("companies.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("symbol", "name", "ambiguous"))
        writer.writerows(rows)
    print(f"{path}: {len(rows):,} rows")


def _rows(indices: dict[str, Any], words: set[str]) -> Iterator[tuple[str, str, str]]:
    symbols: dict[str, set[str]] = {}
    for index in (*US, *ELSEWHERE):
        for company in indices[index]["companies"]:
            symbol, name = company.get("symbol") or "", _shorten(company["name"])
            # A home symbol has its exchange behind a dot; in the American indices a dot is a class of shares.
            if (symbol and ("." in symbol) == (index not in US)) or symbol.startswith(("BRK.", "BF.")):
                symbols.setdefault(name, set()).add(symbol)
    for name, known in symbols.items():
        american = {symbol for symbol in known if "." not in symbol}
        # Of two symbols one is a mistake or another class of shares: names.csv says which is meant.
        if len(american or known) != 1 or _CLASS_LETTER.search(name):
            continue
        (symbol,) = american or known
        yield symbol, name, _level(name, words)
        short = _KIND.sub("", name)
        if (
            short != name
            and short not in symbols
            and (" " in short or (len(short) >= _SHORTEST and not _is_word(short, words)))
        ):
            yield symbol, short, _level(short, words)


def _shorten(name: str) -> str:
    """The name as people write it: without its legal form and what Wikipedia says to tell it from others."""
    plain = re.sub(r"\s*\([^)]*\)", "", name).strip().removeprefix("The ")
    return _LEGAL.sub("", plain).strip(" ,").replace("\u2013", "-").replace("\u2019", "'")


def _level(name: str, words: set[str]) -> str:
    parts = re.findall(r"[A-Za-z']+", name)
    return "word" if len(parts) == 1 and parts[0] == name and _is_word(name, words) else "case"


def _is_word(name: str, words: set[str]) -> bool:
    low = name.lower()
    return any(form in words for form in (low, low.removesuffix("s"), low.removesuffix("es")))


if __name__ == "__main__":
    main()
