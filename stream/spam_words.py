"""Words that advertising uses, and people who speak of a company seldom; docs/spam.md says what they find. Folded."""

__all__ = ["BOARD_FIELDS", "BOARD_PRICES", "CALLS", "LISTS", "POPULAR", "SLOGANS", "STRONG", "WARNINGS", "WEAK"]


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split("|"))


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


STRONG = _phrases(
    """a huge new pick|a new alert find out why|chat room for free|chatroom for free|claim your free|
    day trading chat room|day trading chatroom|free options screener|free signals|free stock picks|
    free trading room|get our free|get our future|get our new|get our next|huge new pick|in 1 watchlist|
    in our chat room|in our chatroom|into our chat room|into our chatroom|join my chat|join my discord|
    join my free|join my group|join my telegram|join my vip|join my whatsapp|join our chat|
    join our chatroom|join our discord|join our free|join our room|join our telegram|join our trading|
    join our vip|join our whatsapp|join the chat room|join the chatroom|join us every|join us in the chat|
    join us in the room|market parse for iphone|new pick coming|new pick is coming|new pick is on the way|
    new stock pick coming|next pick coming|next pick early|next pick is coming|our free chat|
    our free newsletter|our new pick|our new picks|our newest pick|our next alert|our next alerts|
    our next pick|our next picks|our penny stock|our stock alerts|our vip|penny stock alert|
    penny stock alerts|penny stock blog|penny stock newsletter|penny stock pick|penny stock picks|
    platinum membership|platinum memberships|platinum subscribers|sign up for our free|signals group|
    special new pick|stock alert service|stock pick alert|subscribe for our|subscribe to get our|
    try it out for free|under one watchlist|vip signals|your featured tweet|your tweet has been featured"""
)
"""One of them is enough."""

WEAK = _phrases(
    """10 bagger|alerts a day|also see|are you bearish on|are you bullish on|are you considering|
    are you hanging on|are you investing in|are you looking for|are you looking to|are you putting your money|
    are you thinking of|avoid mistakes like|awesome stock|become a member|best research on|big update|
    breakout time on|breaktout time on|buzzing assets|chat room|chatroom|coupon code|critical alerts for|
    daily calls|daily signals|did you lose money on|discount code|dm me|do you need|dont be left behind|
    double your money|earn daily|earnings news on|enter now|exclusive first look|find more winners|
    find the next|find the next hot|follow me|for our members|for our subscribers|free access|free alerts|
    free class|free info|free newsletter|free report|free research|free room|free samples|free trial|
    free video|free webinar|full time living|get free research|get great research|get in early|get info|
    get it early|get market reports|get more winners|get notified|get research on|
    get the latest on|great newsletter|great research|great stock|guaranteed gains|guaranteed profit|
    guaranteed profits|guaranteed returns|hidden gem|hot pick|hot stocks|huge gains|huge news|huge update|
    in just one trade|in one trade|in our room|insider trading alerts on|insider trading updates on|
    join here|join now|join us|limited offer|limited seats|limited spots|limited time|
    list of stocks to watch|looking for more winners|looking for research|looking for the next|
    looking for winners|major news|make money from home|market reports on|massive gains|mentorship|
    message board|momentum alert|money online|more info here|more stock picks|more winners like|
    movers to research|new pick|new picks|new stock pick|newsletter|next hot|next pick|next runner|
    our members|our pick on|our picks|our platinum|our service|our stock pick|our stock picks|
    our subscribers|penny stock|penny stocks|pennystock|pennystocking|pennystocks|platinum members|
    profit guaranteed|profitable trader|promo code|register now|research on|seeing a jump in tweets|
    seeking the next|sign up|special pick|special update|spots left|stock contest|stock newsletter|
    stock pick|stock picks|stock research|stockpick|stockpicks|stocks you might want|stocks you should|subscribe for|
    subscribe here|subscribe now|subscribe today|subscribers saw|swing trading course|tired of losing|trade alerts|
    trading course|trading service|trading signals|trial of our|tripled my income|video lessons|
    want to make money|watchlist dont be|winners like"""
)
"""Two different ones are needed, or one in few words beside some cashtags and a link."""

SLOGANS = frozenset(
    _phrases(
        """big update|follow me|great stock|hidden gem|hot stocks|huge gains|huge news|huge update|join us|limited time|
        major news|massive gains|new pick|new picks|special update|stock picks"""
    )
)
"""Weak ones that news uses too: beside a link and some cashtags they say nothing."""

CALLS = _phrases(
    """check out|click|click here|find out why|give it a try|goto|i suggest|must have|must see|
    rate_limit_exceeded|try this|view now|visit|worth a look"""
)
"""What stands between the cashtags and the link of a link farm."""

BOARD_FIELDS = _set(
    """ask bid board cap change chart charts data date dividend e.p.s exchange filings financials forum here ideas
    info news open opinions posts quotes ratio sales shares size summary tick trending volume yield"""
)
"""What a line of a board of quotes shows: the word before its cashtags."""

BOARD_PRICES = frozenset(_phrases("52wk high|52wk low|current price|day high|day low|last price|last trade|prev close"))
"""The same in two words."""

LISTS = _set(
    """accumulating active actives activity advances after-hours ah alert alerts athigh bankruptcy bear bearish
    bears beat beats best biggest biotech bollinger breakfast breakout breakouts bull bullish bulls buy buyback
    buying buys call calls catalyst catalysts close closing cmf crash crisis cross crossover crossovers cut cuts
    daily deal deals declines decreases dividend dividends down downgrade downgraded downgrades downtrend drop
    drops earning earnings economy elder entry eps etf etfs ex-dividend fall falls fed filings focus fomc friday
    fundamentals gain gainers gains gap gaps green halted hedge high higher highs hold holding holdings ichimoku
    increases initiated initiations insider insiders intraday ipo jump jumps keltner leaders list long longs
    losers loss losses low lower lows macd market markets merger missed misses momentum monday movers moves new
    news open options overbought oversold overweight panic parabolic performance performers performing pick plunge
    plunging pm position positions premarket puts radar rally ranked recap recession red regaining related release
    reporting reports results review rise rises risk routing rsi scan sector sell selling selloff sentiment setup
    setups shares short shorts signal sma stochastic stories support surge swing target targets technical thursday
    today tomorrow tonight top trade traded trades trading tuesday tumble underweight unusual up up/downgrades
    update upgrade upgraded upgrades upside uptrend volume w/l wait wall watch watching watchlist weak wednesday
    week weekend weekly winners worst wrap year yield"""
)
"""They say what the symbols of a list have in common: it is news, or somebody's opinion."""

POPULAR = frozenset({"popular", "trend", "trending"})
"""What bots say of a string of symbols."""

WARNINGS = _set(
    """beware complaint fake fined fraud fraudster fraudsters impersonating impersonators investigation lawsuit
    ponzi scam scammed scammer scammers scams sec spam sued sues warn warned warning warns"""
)
"""Whoever uses one of them may be speaking of advertising rather than doing it."""
