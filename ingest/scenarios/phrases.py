"""The companies and the sentences of the scenarios: all invented, ours.

A sentence holds slots in braces; a slot's phrases may hold slots again. `compose.py` fills them. Who edits a list
should know that a real classifier reads the result: what stands under NEGATIVE and in `crises.py` must be plainly bad
news in the words of the trade, and the rest must not be.
"""

from dataclasses import dataclass

__all__ = [
    "BOT_TEXT",
    "COMPANIES",
    "FLOOD",
    "FOREIGN",
    "HOSTILE",
    "NEGATIVE",
    "NEUTRAL",
    "OUTLETS",
    "POSITIVE",
    "PROMOTION",
    "SEVERAL",
    "SLOTS",
    "Company",
]


@dataclass(frozen=True, slots=True)
class Company:
    """An invented company; `per_weekday` is how many posts speak of it on an ordinary weekday."""

    symbol: str
    name: str
    short: str
    per_weekday: float
    price: float
    sector: str
    products: tuple[str, ...]


COMPANIES = (
    Company("QVLT", "Quivolt Motors", "Quivolt", 100, 84, "autos", ("van", "battery pack", "charger", "pickup")),
    Company("NMBRA", "Nimbora Cloud", "Nimbora", 60, 212, "software", ("backup service", "database", "AI assistant")),
    Company("NTHW", "Northwater Foods", "Northwater", 45, 57, "staples", ("oat drink", "baby cereal", "cold brew")),
    Company("PLVR", "Palaver Media", "Palaver", 35, 31, "media", ("podcast app", "streaming plan", "news show")),
    Company("HRBK", "Harbeck Bank", "Harbeck", 30, 44, "banks", ("card", "mortgage desk", "savings account")),
    Company("ZYLC", "Zylocare", "Zylocare", 25, 18, "biotech", ("asthma trial", "eye drug", "vaccine plant")),
    Company("SBRW", "Skybarrow Airways", "Skybarrow", 25, 26, "airlines", ("lounge", "Lisbon route", "cargo arm")),
    Company("FWLD", "Fennwold Stores", "Fennwold", 20, 39, "retail", ("loyalty app", "own brand", "garden range")),
    Company("EMBN", "Emberlyn Energy", "Emberlyn", 15, 63, "energy", ("wind farm", "gas field", "storage site")),
    Company("TRSK", "Torsk Lines", "Torsk", 10, 12, "shipping", ("ferry", "container fleet", "Baltic service")),
    Company("OKMR", "Oakmoor Homes", "Oakmoor", 5, 71, "housing", ("starter home", "rental arm", "timber house")),
    Company("GRVN", "Gravenor Mining", "Gravenor", 2, 8, "metals", ("copper pit", "nickel project", "smelter")),
)

OUTLETS = ("TallowStreetWire", "QuillMarketsDesk", "LanternTicker", "KestrelBriefing", "MossgateDaily", "OpenBellNotes")

SLOTS: dict[str, tuple[str, ...]] = {
    "who": ("{co}", "{co}", "{cash}", "{name}"),
    "when": ("this morning", "today", "in early trading", "before the bell", "this afternoon", "at the close"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
    "quarter": ("Q1", "Q2", "Q3", "Q4", "first-quarter", "second-quarter", "third-quarter", "fourth-quarter"),
    "month": ("January", "March", "April", "May", "June", "September", "October"),
    "place": ("Ohio", "Rotterdam", "Leeds", "Texas", "Osaka", "Gdansk", "Toronto", "Porto", "Nevada", "Bilbao", "Lyon"),
    "broker": (
        "Aldergate Securities",
        "Penhallow Research",
        "Corvane Capital",
        "Tillbury & Rowe",
        "Marlstone",
        "Hazelhurst Equity",
    ),
    "partner": ("Kelmar Group", "Ostwick Partners", "Vantry Systems", "the city of {place}", "Dunmore & Sons"),
    "role": ("chief financial officer", "head of {place} operations", "chief product officer", "board member"),
    "form": ("10-Q", "8-K", "proxy statement", "annual report", "S-8"),
    "conf": (
        "Lakeside {sector} Conference",
        "Autumn Investor Forum",
        "{broker} {sector} Day",
        "Small & Mid Cap Summit",
    ),
    "volume": ("near average", "{few}00k so far", "in line with last week", "about {few} million shares"),
    "document": ("10-Q", "annual report", "investor deck", "call transcript", "S&P note", "R&D update"),
    "friend": ("friend", "colleague", "neighbour", "reader"),
    "frame": ("daily", "weekly", "4h", "hourly", "monthly"),
    "pattern": ("flag", "triangle", "inside day", "range", "channel", "Fibonacci levels"),
    "where": ("on the train", "at the airport", "between two podcasts", "in {place}", "during the match"),
    "good": (
        "strong {product} demand",
        "record {quarter} orders",
        "upbeat outlook",
        "its deal with {partner}",
        "{product} approval",
        "{broker} upgrade",
    ),
    "bull": (
        "bulls in control",
        "strong demand for the {product}",
        "this goes higher",
        "great quarter ahead",
        "momentum is strong",
        "target {price}",
        "profits are growing",
    ),
    "meh": ("weak volume", "sellers in control", "below the 50-day", "soft guidance", "lost support at {price}"),
    "aside": (
        "",
        "",
        "",
        " imo",
        " fwiw",
        " lol",
        " again",
        " ok",
        " \N{EYES}",
        " #stocks",
        " #{sector}",
        " @ {price}",
    ),
    "joy": (" \N{ROCKET}", " \N{CHART WITH UPWARDS TREND}", "", "", " #bullish", " nice", " let's go", " \N{FIRE}"),
}

NEUTRAL: dict[str, tuple[str, ...]] = {
    "social": (
        "{cash} trading at {price} {when}, volume {volume}{aside}",
        "anyone following {cash} into {quarter} earnings?{aside}",
        "what is your average price on {cash}? mine is {price}{aside}",
        "{cash} options: the {price} strike is the most active for {month}{aside}",
        "added {cash} to my watchlist {when}, waiting for {price}{aside}",
        "watching {cash} around {price}, no position{aside}",
        "reading the {co} {document} {when}{aside}",
        "does {co} still make the {product}? asking for a {friend}{aside}",
        "{cash} reports {quarter} numbers on {day} {when}{aside}",
        "{cash} {pattern} on the {frame} chart, levels {price} and {price}{aside}",
        "listening to the {co} {quarter} call {when}{aside}",
        "just saw a {co} ad {where}{aside}",
        "poll: do you hold {cash}, and since when?{aside}",
        "tried the new {co} {product} {where}, it is what it is{aside}",
        "finished the {co} {document}, {few}{few} pages{aside}",
        "who else is going to the {co} investor day in {place}?{aside}",
        "{cash} opens at {price}, previous close {price}{aside}",
        "question for {cash} holders: how big is the {product} business in {place}?{aside}",
    ),
    "news": (
        "{who} to report {quarter} results on {day}",
        "{who} to present at the {conf} in {place}",
        "{who} names new {role}",
        "{who} files {form} with the SEC ahead of its {month} meeting",
        "{who} sets {month} date for annual meeting in {place}",
        "What to expect from {who} {quarter} earnings on {day}",
        "{broker} initiates {who} at neutral with a {price} target",
        "{broker} reiterates {who} at hold, target {price}",
        "{who} schedules investor day in {place} for {month}",
        "{who} to move its {product} team to {place} in {month}",
        "{sector} preview: {few} things to know about {who} before {day}",
        "{who} declares quarterly dividend of {few} cents a share",
        "Transcript: {name} {quarter} earnings call",
        "{who} and {partner} to show {product} at the {conf}",
        "{who} publishes {quarter} {document} on {day}",
        "Interview: {co} {role} on the {product} and life in {place}",
    ),
}

POSITIVE: dict[str, tuple[str, ...]] = {
    "social": (
        "{cash} breaking out above {price}, {bull}{joy}",
        "loving this move in {cash}, up {pct}% {when}{joy}",
        "added more {cash} at {price}, {bull}{joy}",
        "{cash} hits a new high at {price}, {bull}{joy}",
        "best quarter ever for {co}, {bull}{joy}",
        "long {cash} from {price}, {bull}{joy}",
        "{cash} rally continues, up {pct}% on {good}{joy}",
        "the {co} {product} is excellent, buying more {cash} at {price}{joy}",
    ),
    "news": (
        "{who} beats {quarter} estimates on strong {product} sales",
        "{who} raises full-year guidance after record {product} demand",
        "{broker} upgrades {who} to buy, lifts target to {price}",
        "{who} shares rise {pct}% on {good}",
        "{who} wins ${few}{few} million {product} contract from {partner}",
        "{who} announces ${few}00 million share buyback, shares gain {pct}%",
        "{who} boosts dividend {pct}% as {product} profit grows",
        "{who} stock jumps {pct}% after {quarter} profit tops forecasts",
        "{broker} raises {who} price target to {price} on {good}",
    ),
}

NEGATIVE: dict[str, tuple[str, ...]] = {
    "social": (
        "{cash} down {pct}% {when}, {meh}{aside}",
        "{cash} drops {pct}% {when}, {meh}{aside}",
        "{cash} falls below {price}, {meh}{aside}",
        "{cash} sinking, down {pct}% and below {price}, {meh}{aside}",
    ),
    "news": (
        "{broker} cuts {who} price target to {price}",
        "{who} shares slip {pct}% on weak {product} sales",
        "{who} stock falls {pct}% as {broker} downgrades to hold",
    ),
}

SEVERAL = (
    "Watchlist for {day}: {cash} {others}{aside}",
    "earnings this week: {cash} {others}{aside}",
    "most mentioned {when}: {cash} {others}{aside}",
    "{cash} or {others}, which chart do you like? target {price}{aside}",
    "my portfolio for {month}: {cash} {others}, {few}0% cash{aside}",
)

PROMOTION = (
    "Join our free room for daily calls on {cash} {others}",
    "FREE trial!! {few}{few} alerts a day on {cash} {others}",
    "Our {frame} list of stocks to watch: {cash} {others}",
)

FLOOD = (
    "{cash} will crash to ${few}, sell now, target cut number {n}",
    "{cash} is a disaster, {product} sales collapse, short it under {price}, reason {n}",
    "warning {n}: {cash} plunges below {price}, get out",
)
"""One author's, against one company, within hours: one voice, however often it speaks."""

BOT_TEXT = "ALERT $TRSK shares crash after CEO selling, investors dump the stock before it is too late"
"""One sentence that many accounts post: one text, however many post it."""

FOREIGN = (
    ("de", "{co} legt am {few}. {month} Zahlen zum {quarter} vor, Kurs bei {price} {cash}"),
    ("es", "{co} presenta sus resultados en {place}, precio {price} {cash}"),
    ("fr", "{co} publie ses comptes en {month}, cours {price} {cash}"),
)

HOSTILE = (
    "<!channel> <!here> {cash} reports {quarter} results on {day}",
    "=cmd|' /C calc'!A0 {cash} reports on {day}",
    "<script>alert('{cash}')</script> {co} to report {quarter} results on {day}",
    "\x1b[2J\x1b[31m{cash}\x1b[0m trading at {price} {when}",
    "{cash} to report \N{RIGHT-TO-LEFT OVERRIDE}yadot\N{POP DIRECTIONAL FORMATTING} {when}",
    "{cash} <https://example.com/a|https://example.com/b> *bold* _under_ ~struck~ `code` on {day}",
    '"; DROP TABLE posts; -- {cash} reports {quarter} on {day}',
    "{cash} {{ 7*7 }} ${jndi:ldap://127.0.0.1/a} %s %n watchlist for {day}",
    "{cash} z\u0351\u0343\u0310a\u0302\u0367l\u034cg\u0350o\u0311 levels {price} and {price}\x00",
)
