"""Words of news and moods of a market, by which a few words beside many cashtags say something. Folded."""

import re
from collections.abc import Iterable

__all__ = ["tells_bad_news", "tells_news"]


def _list(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_STEMS = _list(
    """abandon absturz accus afraid agon allegation annihilat apocalyp asleep atrocious attack awful bagholder
    bailout bankrott bankrupt beating bleak bleed bloodba bloodied bloody bombed boycott breach broke bubble
    burning butcher cancel capitulat carnage catastroph chaos chapter11 choke clobber closing collaps concern
    condemn contagi corruption covid crap crash crater crises crisis crumbl crush cyberattack damag danger
    deadly death debacle decimat declin default deficit deflat delist demis despair destroy destruct deposit deteriorat
    devastat dilut disappoint disast disgust distress dive divest doom downfall downgrad downhill downside
    downturn drag dread drop drown dump embezzl emergenc erod erosion evacuat evaporat evict exodus exploi expos
    fail falter fear fled flee flop forced foreclos fragil fraud freak freefall freez froze furlough garbage
    geopolit gloom ground guilt hack halt hammer harm hatred headwind hemorrhag horribl horrif horror hurt
    illegal illiquid implo indict inflation insolven investigat jail jeopard jitter junk kill krach lawsuit
    layoff leak liquidat litigat lockdown mayhem meltdown melting misl nervous nightmare nosediv nuked obliterat
    outage outflow overleverag pain panic perish plague plummet plung poison ponzi problem pukin pummel punish
    quit ransom recall recession reckless redemption resign restat revolt rotten rubbish rubble ruin sabotag
    sanction scam scandal scare scary seiz selloff severe shaken shaky shambles shatter shock shut sicken sink
    skid slammed slash slaughter slid slip slow slump smash smok spill spiral spook stagflat stagger stagnat
    stampede steal stole stop strand strike struggl stuck stumbl subpoena subprime suck suffer suspend swindl
    tank tariff terribl theft threat throttl toast toppl torch toxic tragic trap trash traum troubl tumbl
    turmoil ugly uncertain undercapital underperform underwater unsafe unwind vanish violat vulnerab warn wast
    whack wipe woe worr wors worst worthless wound wreck writedown writeoff"""
)
"""Any word that begins so says that something went badly."""

_WORDS = _list(
    """ail angst bad baisse ban banned bans black bleh blew blood blowing blown bomb bombs burn bust busted cae
    caen caida caidas chute crisi cut cuts cutting dead desploma desplome die died dies dire dirt dying fall
    fallen falling falls fell fire fired fires flush gone goner hate hated hell ill kaput krise lie lied lies
    mess oops ouch probe probed probes puke quiebra rekt ripped rout routed routs sad sank shit shitshow sick
    sue sued sues sunk ugh verlust verluste war wars wtf yikes"""
)
"""These words themselves do."""

_IN_TAGS = _list(
    """attack bankcris bankfail bankrun bear blood bloodbath boycott breach collaps contagi covid crash cris
    delist downgrade earnings fraud fear hack indict insolv jobcut layoff liquid meltdown outage panic ponzi
    recall recession sanction scam sell shortsqueeze strike tariff volatil war"""
)
"""A tag that holds one of these, for tags have no spaces."""

_ANYWHERE = _list(
    """崩 暴跌 暴落 急落 急跌 大跌 下跌 恐慌 破产 破産 倒産 危机 危機 폭락 하락 파산 위기 обвал паник паден кризис
    крах банкрот 📉 🔻 🩸 💀 ☠ 😱"""
)
"""Writing without spaces, and pictures."""

_MARKET_STEMS = _list(
    """bearish boom bounc climb explo gain jump losing loss mistake moon outperform overpric overvalu rall
    rebound recover risk rocket selling skyrocket soar sold spik squeez surg terrif volatil weak"""
)
_MARKET_WORDS = _list(
    """bear bears down downs ends exit exits flat flying green hit hits hitting lose loser losers loses lost low
    lower miss misses no over popped popping pops puts red rip ripping rips run runs sell sells short shorted
    shorting shorts up zero"""
)
"""How prices move and what one does about it: news, but advertising speaks of it as well."""


def _pattern(stems: Iterable[str], words: Iterable[str]) -> re.Pattern[str]:
    whole = rf"(?<![\w$#])(?:(?:{'|'.join(stems)})\w*|(?:{'|'.join(words)})(?!\w))"
    return re.compile(rf"{whole}|\#\w{{0,40}}?(?:{'|'.join(_IN_TAGS)})|{'|'.join(_ANYWHERE)}")


_BAD_NEWS = _pattern(_STEMS, _WORDS)
_NEWS = _pattern(_STEMS + _MARKET_STEMS, _WORDS + _MARKET_WORDS)


def tells_bad_news(folded: str) -> bool:
    """Whether some word of a folded text says that something went badly. Linear."""
    return bool(_BAD_NEWS.search(folded))


def tells_news(folded: str) -> bool:
    """The same, or that a price moved or may move."""
    return bool(_NEWS.search(folded))
