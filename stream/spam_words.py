"""Words that advertising uses, and people who speak of a company seldom; docs/spam.md says what they find. Folded."""

__all__ = [
    "BOARD_FIELDS",
    "BOARD_PRICES",
    "CALLS",
    "LISTS",
    "POPULAR",
    "SALES",
    "SLOGANS",
    "SOFT",
    "STRONG",
    "WARNINGS",
    "WEAK",
]


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split("|"))


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


STRONG = _phrases(
    """1000x gem|100x gem|100x gems|a huge new pick|a new alert find out why|access to our new pick|
    access to our new picks|add me on whatsapp|awesome stock research on|chat room for free|chatroom for free|
    copy my trades|day trading chat room|day trading chatroom|discord for free alerts|discord in bio|
    discord link in bio|dm for signals|dm me for access|dm me for alerts|dm me for calls|dm me for free|
    dm me for picks|dm me for signals|dm me for the link|dm me to join|dm to join|forex signals group|
    free crypto signals|free forex signals|free options screener|free signals|free stock alerts|free stock picks|
    free telegram signals|free trade alerts|free trading room|get our free alerts|get our free picks|
    great stock newsletter|great stock research on|guaranteed daily returns|guaranteed monthly returns|
    guaranteed weekly profit|guaranteed weekly returns|huge new pick|in 1 watchlist|in our chat room|in our chatroom|
    in our telegram group|into our chat room|into our chatroom|join discord for alerts|join discord for free|
    join discord for signals|join my chat|join my discord|join my free|join my group|join my premium|join my signals|
    join my telegram|join my trading|join my vip|join my whatsapp|join our chat|join our chatroom|join our discord|
    join our free chat|join our free discord|join our free group|join our free room|join our free stock|
    join our free telegram|join our free trading|join our premium chat|join our premium group|join our premium room|
    join our private chat|join our private discord|join our private group|join our private telegram|join our room|
    join our signals|join our telegram|join our trading chat|join our trading community|join our trading group|
    join our trading room|join our vip channel|join our vip chat|join our vip group|join our vip room|
    join our whatsapp|join telegram for alerts|join telegram for free|join telegram for signals|join the chat room|
    join the chatroom|join the discord channel|join the discord for|join the discord group|join the discord server|
    join the telegram channel|join the telegram group|join the whatsapp group|join us in the chat|join us in the room|
    join us on discord|join us on telegram|join us on whatsapp|link to my discord|link to our discord|
    market parse for iphone|message me on whatsapp|message me to join|my discord is free|new pick coming|
    new pick is coming|new pick is on the way|new stock pick coming|next 100x gem|next pick coming|next pick early|
    next pick is coming|our discord called|our discord is free|our free chat|our next alert|our next alerts|
    our penny stock|our stock alerts|our stock tips have|our telegram called|our vip chat|our vip discord|
    our vip group|our vip room|our vip signals|our vip subscribers|our vip telegram|penny stock alert|
    penny stock alerts|penny stock blog|penny stock newsletter|penny stock pick|penny stock picks|
    pennystock research on|platinum membership|platinum memberships|platinum subscribers|special new pick|
    stock alert service|stock pick alert|subscribe for our alerts|subscribe for our picks|subscribe to get our|
    telegram in bio|telegram link in bio|text me on whatsapp|trading signals group|under one watchlist|vip discord|
    vip signals|vip signals group|vip telegram|whatsapp group link|whatsapp me for|your featured tweet|
    your tweet has been featured"""
)
"""One of them is enough."""

WEAK = _phrases(
    """10 bagger|alerts a day|also see|are you bearish on|are you bullish on|are you considering|are you hanging on|
    are you investing in|are you looking for|are you looking to|are you putting your money|are you thinking of|
    avoid mistakes like|awesome stock|become a member|best research on|big update|breakout time on|breaktout time on|
    buzzing assets|chat room|chatroom|claim your free|coupon code|critical alerts for|crypto signals|daily alerts|
    daily calls|daily picks|daily profits|daily signals|did you lose money on|discount code|dm for|dm me|do you need|
    dont be left behind|double your money|earn daily|earnings news on|enter now|exclusive first look|
    financial freedom|find more winners|find the next|find the next hot|follow me|for our members|for our subscribers|
    forex signals|free access|free alerts|free class|free discord|free info|free newsletter|free report|free research|
    free room|free samples|free telegram|free trial|free video|free webinar|free whatsapp|full time living|
    get free research|get great research|get in early|get info|get it early|get market reports|get more winners|
    get notified|get our free|get our future|get our new|get our next|get research on|get the latest on|
    great newsletter|great research|great stock|guaranteed gains|guaranteed profit|guaranteed profits|
    guaranteed returns|hidden gem|hot pick|hot stocks|huge gains|huge news|huge update|in just one trade|
    in my discord|in one trade|in our discord|in our room|insider trading alerts on|insider trading updates on|
    join discord|join here|join now|join our free|join telegram|join the discord|join the telegram|join the whatsapp|
    join us|join us every|join whatsapp|limited offer|limited seats|limited spots|limited time|link in bio|
    link in my bio|link in profile|list of stocks to watch|looking for more winners|looking for research|
    looking for the next|looking for winners|major news|make money from home|market reports on|massive gains|
    mentorship|message board|momentum alert|money online|more info here|more stock picks|more winners like|
    movers to research|new pick|new picks|new stock pick|newsletter|next hot|next pick|next runner|
    our free newsletter|our members|our new pick|our new picks|our newest pick|our next pick|our next picks|
    our pick on|our picks|our platinum|our service|our stock pick|our stock picks|our subscribers|our vip|
    passive income|penny stock|penny stocks|pennystock|pennystocking|pennystocks|platinum members|profit guaranteed|
    profitable trader|promo code|register now|risk free profit|risk free profits|seeing a jump in tweets|
    seeking the next|sign up|sign up for our free|signals daily|special pick|special update|spots left|stock contest|
    stock newsletter|stock pick|stock picks|stock research|stock research on|stock tips|stockpick|stockpicks|
    stocks you might want|stocks you should|subscribe for|subscribe for our|subscribe here|subscribe now|
    subscribe today|subscribers saw|swing trading course|tired of losing|trade alerts|trading course|trading service|
    trading signals|trial of our|tripled my income|try it out for free|video lessons|want to make money|
    watchlist dont be|whatsapp me|winners like"""
)
"""Two different ones are needed, or one in few words beside some cashtags and a link."""

SLOGANS = frozenset(
    _phrases(
        """big update|follow me|great stock|hidden gem|hot stocks|huge gains|huge news|huge update|join us|
        limited time|major news|massive gains|new pick|new picks|special update|stock picks"""
    )
)
"""Weak ones that news uses too: beside a link and some cashtags they say nothing."""

SALES = frozenset(
    _phrases(
        """10 bagger|become a member|claim your free|coupon code|discount code|enter now|exclusive first look|
        financial freedom|for our members|for our subscribers|free access|free samples|free trial|free video|
        free webinar|get in early|get notified|get our free|guaranteed returns|in our discord|join here|join now|
        join our free|join the discord|join the telegram|join the whatsapp|join us every|limited offer|limited seats|
        limited spots|link in bio|link in my bio|link in profile|our free newsletter|our members|our service|
        our subscribers|our vip|passive income|promo code|register now|sign up|sign up for our free|spots left|
        stock tips|subscribe for|subscribe for our|subscribe here|subscribe now|subscribe today|try it out for free|
        whatsapp +"""
    )
)
"""Weak ones that companies say of what they sell, and papers of companies."""

SOFT = (
    SLOGANS
    | SALES
    | frozenset(
        _phrases(
            """dont be left behind|find the next|free class|free info|free newsletter|free report|free research|
            get info|looking for the next|message board|more info here|newsletter|next hot|next pick|our new pick|
            our new picks|our newest pick|our next pick|our next picks|our picks|penny stock|penny stocks|stock pick|
            stock research|trial of our"""
        )
    )
)
"""Weak ones that count only beside another weak one: alone or together they may be news."""

CALLS = _phrases(
    """check out|click|click here|find out why|give it a try|goto|i suggest|must have|must see|rate_limit_exceeded|
    try this|view now|visit|worth a look"""
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
    """arrest arrested arrests banned beware charged charges charging complaint complaints convict convicted
    convicts court crackdown doj duped fake fbi fca fined fines finra fraud frauds fraudster fraudsters fraudulent ftc
    guilty impersonating impersonators imposters impostors indict indicted indictment indicts investigation
    investigators jail jailed jails judge jury lawsuit lawsuits lost mislead misleading misleads misled perjury police
    ponzi probe probes prosecutor prosecutors regulator regulators sanctioned scam scammed scammer scammers scams scheme
    schemes sec sentence sentenced sentences spam sued sues suing swindle swindled victim victims warn warned warning
    warnings warns"""
)
"""Whoever uses one of them may be speaking of advertising rather than doing it."""
