"""Posts as people and papers write them, which must not be hidden, and advertising, which should be."""

from typing import NamedTuple

import pytest

from bearometer.spam_settings import SpamSettings
from bearometer.story import Placement
from stream.spam import find_spam
from tests.fakes import make_post

BANKS = "$JPM $BAC $C $WFC $GS $MS $USB $PNC $TFC $SCHW $COF"
CHIPS = "$NVDA $AMD $INTC $QCOM $AVGO $MU $TXN $ASML $TSM $AMAT $LRCX"
LINK = ("https://news.example.com/a",)


class Case(NamedTuple):
    text: str
    has_link: bool = False
    followers: int | None = None
    same_text_authors: int = 1

    def find(self) -> tuple[str, ...]:
        post = make_post("1", self.text, links=LINK if self.has_link else (), followers=self.followers)
        return find_spam(post, Placement("0" * 16, False, self.same_text_authors, 1), SpamSettings())


CRISIS_HEADLINES = [
    Case("Bank shares sink as regulator shuts lender: $JPM $BAC $C $WFC", True, 90_000, 12),
    Case("Bank shares sink as regulator shuts lender: $JPM $BAC $C $WFC", True, None, 40),
    Case("Bank shares sink as regulator shuts lender: $JPM $BAC $C $WFC", False, 90_000, 40),
    Case("Bank shares sink as regulator shuts lender: $JPM $BAC $C $WFC", True, 3, 40),
    Case("Major news: Boeing grounds the 737 MAX $BA", True, 90_000, 25),
    Case("Major news: Boeing grounds the 737 MAX $BA", False, 90_000, 25),
    Case("Huge update: the ECB opens an emergency window $DB $BNP $SAN $ING", True, 4_000, 60),
    Case("*MOODY'S CUTS OUTLOOK ON LENDERS $JPM $BAC $C $WFC", False, None, 30),
    Case("Fed holds an unscheduled meeting $SPY $QQQ $DIA $IWM", True, 1_500, 200),
    Case("RT @wire: Carrier cancels all flights after crash $UAL $DAL #airlines", False, 2, 50),
]

STRINGS_THAT_SAY_SOMETHING = [
    Case(f"{BANKS} {said}")
    for said in (
        "all crashing",
        "contagion",
        "bank run",
        "bloodbath",
        "delisting fears",
        "meltdown",
        "collapse",
        "sell-off",
        "fraud",
        "are collapsing",
        "PLUNGING!!!",
        "in free fall",
        "all getting crushed",
        "bleeding badly",
        "dumping hard",
        "trading halted",
        "insolvent?",
        "fear spreading",
        "withdrawals frozen",
        "under investigation",
        "short squeeze",
        "squeezing",
        "ripping",
        "暴跌",
        "📉📉📉",
        "#contagion",
        "#BankRun #panic",
        "sued",
        "hacked",
        "are toast",
    )
] + [
    Case("$JPM $BAC #bankingcrisis #contagion #collapse #panic #fed #rates"),
    Case(f"Export ban hits {CHIPS}"),
    Case(f"Trending: {CHIPS} tanking"),
    Case(f"$NVDA tariffs {CHIPS}"),
    Case(f"{CHIPS} strike at the fab in Arizona, shipments late"),
]

RECAPS_AND_LISTS = [
    Case("Winners $NVDA $AMD $AVGO $MU $INTC $QCOM, losers $PFE $MRK $LLY $ABBV $BMY $JNJ"),
    Case(f"Earnings tomorrow before the bell: {CHIPS}", True),
    Case(f"{BANKS} all report next week"),
    Case(f"Most shorted: {CHIPS}"),
    Case(f"Weekly recap: {BANKS}"),
    Case("$AAPL 189.20 $MSFT 402.10 $GOOG 140.35 $AMZN 171.80 $META 470.20 $NFLX 560.10 $TSLA 190.40"),
    Case("Dow leaders today were $CAT $BA $GS and the laggards $MMM $INTC $WBA"),
    Case("My portfolio is $ACME $HRBM $QVLT $NTHW and I sleep badly"),
    Case("Thinking of the next ten years I hold $V, $MA, $COST and $BRK.B, nothing else", True),
    Case("Squeeze watch: borrow on $GME $AMC $BBBY is 80% and rising, shorts are trapped", True),
    Case("GAMMA SQUEEZE!!! $GME will not stop, huge gains today and huge news tomorrow"),
    Case("Diamond hands. $GME huge gains, massive gains, I am not selling", True, 4),
]

BUSINESS_NEWS = [
    Case("Bumble free trial sign up growth slows, shares -20% $BMBL"),
    Case("Netflix to end free trial: users must subscribe now $NFLX"),
    Case("Our new pick for CFO starts Monday, says Intel $INTC"),
    Case("Our next pick for the board is a banker, Harbor Mills says $HRBM"),
    Case("Disney, Netflix and Warner drop the promo code as users sign up anyway $DIS $NFLX $WBD", True),
    Case("New York Times newsletter sign up numbers disappoint $NYT"),
    Case("Peloton ends free trial, coupon code and discount code to save money $PTON"),
    Case("Costco: our members grew 7%, our subscribers to the newsletter doubled $COST"),
    Case("Join us for our investor day on May 12. Register now $ACME"),
    Case("We are excited to join forces with NVIDIA #AI #cloud #innovation #data #future $NVDA $DELL", True, 800_000),
    Case("Proud to power the grid #energy #renewables #solar #wind #jobs $NEE $DUK", True, 50_000),
    Case("Insurers trim guaranteed returns on annuities as rates drop; no passive income left $PRU $MET $AIG", True),
    Case("Is SpaceX the next 10-bagger? Also worth reading: our piece on $BA $LMT $RTX", True),
    Case("New research on statins questions their use $PFE $MRK $NVS", True),
    Case("Meta lets shops join the WhatsApp Business platform for a limited time $META"),
    Case("BlackRock to join the Telegram bond sale, sources say $BLK"),
    Case("Discord hires banks for a listing; Microsoft would not join the Discord bidding again $MSFT"),
    Case("Spotify raises price of premium; subscribe today and pay more, sign up numbers slow $SPOT"),
    Case("Adobe hides the fee for leaving its free trial, subscribers complain $ADBE"),
    Case("Looking for the next Lehman? Contagion spreads from $CS to $DB and $UBS", True),
    Case("Are you hanging on to $SIVB $FRC $PACW after the run on deposits?", True),
    Case("Chat room of the plant was shut by Acme after workers discussed a union $ACME"),
    Case("If you work at Boeing and know of the fault, DM me. $BA"),
    Case("Sorry to hear that. WhatsApp us at +1 555 010 0123 and we will find your parcel $FDX"),
]

BUSINESS_NEWS += [
    Case("Claim your free fries in our app today $MCD"),
    Case("Our VIP customers came back to Macau, MGM says $MGM"),
    Case("Join us every Tuesday for our podcast on markets $MS"),
    Case("China signals group of banks may need capital $HSBC"),
    Case("Join our private equity team in London $BX"),
    Case("Join our trading desk: we hire graduates $GS"),
    Case("See you in our Discord when the new season starts $RBLX $EA"),
    Case("Guaranteed 10x from here, you will see. $TSLA"),
    Case("Great stock research by an analyst who called the drop $AAPL"),
]

FRAUD_REPORTS = [
    Case("Two men arrested over penny stock newsletter scheme $ACME"),
    Case("they said hidden gem, get in early. lost 90% on $WISH"),
    Case("FTC: ads with free trial, sign up and promo code misled buyers $ACME"),
    Case("Promoter jailed for penny stock alerts that pumped $ACME"),
    Case("Man convicted of selling free stock picks that he was paid for $HRBM"),
    Case("Court: join our Telegram was how the ring found its victims $ACME"),
    Case("SEC charges chat room owner; free signals, VIP signals were bait $ACME $HRBM"),
    Case("Influencers indicted, told followers of a 100x gem and sold into it $ACME"),
    Case("Trader sentenced to 4 years for the penny stock newsletter in which he hyped $ACME"),
    Case("I fell for it: join our discord, guaranteed profits. Lost everything on $MULN"),
    Case("Police warn of WhatsApp groups with guaranteed returns and stock tips $META"),
    Case("Prosecutors: penny stock picks were mailed to 2 million people $ACME"),
]

REAL = [*CRISIS_HEADLINES, *STRINGS_THAT_SAY_SOMETHING, *RECAPS_AND_LISTS, *BUSINESS_NEWS, *FRAUD_REPORTS]

PROMOTION = [
    Case(text)
    for text in (
        "Join discord for FREE alerts $ACME",
        "Join our Discord, link below $ACME $HRBM",
        "$ACME gem. Join my discord before it runs",
        "join-our-discord $ACME",
        "join_our_telegram $ACME",
        "#JoinOurDiscord $ACME to 10",
        "joinourdiscord and win $ACME",
        "\uff2a\uff4f\uff49\uff4e \uff4f\uff55\uff52 \uff24\uff49\uff53\uff43\uff4f\uff52\uff44 $ACME",
        "Jo\u0456n our D\u0456scord $ACME",
        "J\u043e\u0456n \u043eur tel\u0435gram $ACME",
        "Join\u200b our\u200b Dis\u200bcord $ACME",
        "Jo\u00adin our tele\u2060gram $ACME",
        "\U0001d409\U0001d428\U0001d422\U0001d427 our \U0001d403\U0001d422\U0001d42c\U0001d41c\U0001d428rd $ACME",
        "Jóin oür Dïscord $ACME",
        "Free alerts, link in bio $ACME",
        "Trading signals, Whatsapp +1 555 010 0123 $ACME",
        "Crypto signals: WhatsApp [phone] $COIN",
        "DM me for signals $ACME $HRBM",
        "DM me to join the VIP group $ACME",
        "100x gem, do not miss it $ACME",
        "Guaranteed weekly returns, ask me how $ACME",
        "Copy my trades, 92 of 100 win $TSLA",
        "Join our premium room today $ACME",
        "Telegram link in bio, $ACME is next",
        "Discord link in bio: entries and exits for $ACME",
        "Join the Telegram group to get the entry first $ACME",
        "Free forex signals every morning $ACME",
        "Daily profits, trading signals, passive income $ACME",
        "Message me on WhatsApp to start with 200 dollars $AAPL",
        "Free stock picks by mail $ACME",
        "VIP signals for members $ACME",
        "Penny stock alerts, the last one ran 300% $ACME",
        "Stock tips and forex signals for beginners $ACME",
        "Great newsletter, sign up $ACME $HRBM",
        "Get early access to our new picks $ACME $HRBM $QVLT",
        "Join us on Telegram for the next runner $ACME",
    )
]


@pytest.mark.parametrize("case", REAL, ids=lambda case: case.text)
def test_what_people_and_papers_write_is_not_hidden(case: Case) -> None:
    assert case.find() == ()


@pytest.mark.parametrize("case", PROMOTION, ids=lambda case: case.text)
def test_advertising_is_marked_in_modern_words_and_in_disguise(case: Case) -> None:
    assert [reason.split(":")[0] for reason in case.find()] == ["promotion"]


def test_a_string_of_symbols_is_copied_by_many_when_it_says_nothing_and_has_no_link() -> None:
    said = "Thank me later $ACME $HRBM $QVLT $NTHW"
    assert Case(said, same_text_authors=14).find() == ("same-text: from 14 accounts, no retweets",)
    assert Case(said, True, 3, 14).find() == ("same-text: from 14 accounts, no retweets",)
    assert Case(said, True, 300, 14).find() == ()
    assert Case(said, True, None, 14).find() == ()
