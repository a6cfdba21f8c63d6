"""Words that tell a company from a fruit, a verb or a form: what stands beside a name. All folded."""

__all__ = [
    "ACRONYMS",
    "ARTICLES",
    "BEFORE",
    "BUSINESS",
    "COMMON",
    "DOES",
    "FINANCE",
    "LEGAL",
    "MOVES",
    "NEAR_SHARING",
    "OWNERS",
    "PLACES",
    "PLATFORMS",
    "PRODUCTS",
    "SHARING",
    "TRADES",
    "VERB_OBJECTS",
    "VERB_SUBJECTS",
    "WEAK_DOES",
    "WORD_TICKERS",
]


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


LEGAL = _set("ag co company corp corporation group holdings inc incorporated kgaa limited llc ltd nv plc sa se spa")
"""Behind a name."""

FINANCE = _set(
    "acquisition aftermarket analyst analysts antitrust bearish bid billion bn bond bonds bullish buy buyback calls "
    "ceo cfo chairman coo cto deal deliveries dividend dividends dow downgrade earnings economy eps estimates etf "
    "forecast forecasts fund funds guidance hedge hold invest investment investments investor investors ipo jobs "
    "lawsuit layoffs long loss losses margin margins market markets merger million mln nasdaq nyse options outlook "
    "output pct percent portfolio premarket price prices profit profits pt puts q1 q2 q3 q4 quarter "
    "quarterly rally recall regulator regulators results revenue revenues sales sec sell selloff share shareholder "
    "shareholders shares short shortage stake stakes stock stocks supplier suppliers takeover target tariff tariffs "
    "tech trader traders trading upgrade valuation yoy"
)
"""Anywhere in the text: money is spoken of."""

BUSINESS = _set(
    "acquisition bankruptcy bears bid board bonds bulls buyback calls ceo cfo chairman chief coo cto deliveries "
    "dividend dividends division earnings employee employees eps exec execs executive executives founder guidance "
    "holder holders investor investors ipo lawsuit layoffs loss losses margins merger options outlook president "
    "profit profits puts q1 q2 q3 q4 quarterly rally recall results revenue revenues sales selloff share shareholder "
    "shareholders shareholding shares slump spinoff staff stock stocks subsidiary takeover unit valuation worker "
    "workers"
)
"""Right behind a name: it is a company's."""

PRODUCTS = _set(
    "account accounts app apps brand brands campus car card cards cars checkout cloud credit cruise customer "
    "customers database dealer dealers dealership debit device devices engine engines excavators factories factory "
    "flight flights gift headquarters hq machines network oilfield outlet outlets phone phones pickup "
    "pickups pilots plane plant plants platform product products refineries refinery rig services ship ships software "
    "station stations store stores suv suvs terminal truck trucks users vehicle vehicles"
)
"""Right behind a name: what companies have and make."""

DOES = _set(
    "acquired acquires adds agreed agrees announced announces apologizes appoints are beat beating beats boosted "
    "boosts borrows bought builds built buys canceled cancelled cancels climbed climbs closed closes confirmed "
    "confirms considers crashed crashes crashing cut cuts declared declares delayed delays denies dipped dips "
    "discontinues doubled doubles down downgraded dropped dropping drops ends expected expects explores eyes faced "
    "faces falling falls fell filed files fined gained gains gets gives goes had halted halts has hiked hikes hired "
    "hires hit hits initiated invested invests is issued issues jumped jumping jumps keeps launched launches lays "
    "looks loses lost lowered lowers makes merges missed misses missing named names needs opened opens ousts paid "
    "partners pays plans plunged plunges plunging posted posts pulls raised raises rallied rallies reached reaches "
    "reaffirms recalled recalls reiterated reported reportedly reports reveals rises rising rolls rose said sank says "
    "scrapped scraps seeks sells settled settles shows shuts signs sinking sinks slashed slashes slid slides sliding "
    "slipped slips soared soaring soars sold spends spins splits stays steps stops stumbles sued sues surged surges "
    "surging suspends takes tanked tanking tanks teams tells told topped tops traded trades trading trimmed trims "
    "triples tumbled tumbles unveiled unveils up upgraded wants warned warns was will wins won"
)
"""Right behind a name: what companies do."""

WEAK_DOES = _set(
    "are beat cut down ends gets gives goes had has hit is keeps long looks lost makes named needs open opens short "
    "shows takes up was will"
)
"""Those of them that many other things do, too."""

BEFORE = _set(
    "acquired acquires against automaker bought buy buying buys carmaker ceo cfo chipmaker conglomerate downgraded "
    "downgrades downgrading giant hold holding initiates insurer lender like likes long longs maker nasdaq nyse owner "
    "owning parent reiterates retailer rival rivals sell selling short shorting sold sued sues supplier tech ticker "
    "upgraded upgrades upgrading versus vs"
)
"""Right before a name."""

OWNERS = _set("boss ceo cfo chairman head investors maker owner parent sales shareholders shares stake stakes stock")
"""Two words before a name, with `of` or `in` between: `shares of`, `stake in`."""

PLACES = _set("about against and as at between by for from how in like of on or than versus vs where while why with")
"""Before a name that is a noun."""

TRADES = _set(
    "added adding bought buy buying calls dumped dumping hold holding loaded loading long own owning puts sell "
    "selling short shorting sold symbol ticker trim trimmed watching"
)
"""Right before a bare ticker."""

MOVES = _set(
    "bears beats breaking breakout bulls call calls chart climbs closes crashing dips dividend down downgrade "
    "downgraded drops dumping earnings eps er falls fell gains holders jumps misses opens options plunges put puts "
    "rallies ripping rises rose shares sinks slides slips soars stock surges tanks tumbles up upgrade upgraded"
)
"""Right behind a bare ticker; numbers do as well."""

ARTICLES = _set("a an another any each every her his my no one our per some that their these this which whose your")
"""Before a noun that is no name."""

VERB_SUBJECTS = _set(
    "also always can could did didn do does doesn don don't dont he help helps i it let's lets may might must never "
    "not shall she should that they to we which who will would you"
)
"""Before a verb."""

VERB_OBJECTS = _set(
    "a all an any between both each every her him his in into it its me my off on our out people that the their them "
    "these this those up us users who whom you your yourself"
)
"""Behind a verb."""

SHARING = _set("find follow join like listen posted read see share subscribe tweet view visit watch")
"""Some words before `on FACEBOOK`, where that is only the place."""

NEAR_SHARING = _set(
    "available channel chat check connect discuss discussion download get here install it live me more now page post "
    "posts review reviews seen shared stream streaming this us"
)
"""Right before it."""

PLATFORMS = _set(
    "alexa amazon app apple bing discord facebook flipboard google hulu instagram itunes kindle linkedin medium "
    "messenger msn music netflix pinterest play podcast podcasts reddit roku snapchat spotify stocktwits store "
    "telegram threads tiktok tumblr twitch twitter whatsapp x yahoo youtube"
)
"""Words of the names of such places."""

COMMON = _set(
    "a about after again all also although an and any apr april are as at aug august because before breaking but by "
    "can could dec december did do does down each even ever every feb february few for friday from had has have he "
    "her here his how i if in into is it its jan january jul july jun june just many mar march may monday more most "
    "much my never new no not nov november now oct october off on only onto or our out over rt saturday sep sept "
    "september she should since so some still sunday than that the their then there these they this those though "
    "thursday today tuesday u.s uk under until up us via was we wednesday were what when where while who why will "
    "with would yes you your"
)
"""What a person's first name or another name's first part never is."""

WORD_TICKERS = _set(
    "AAL AAP ACA ACT ADAM AES AFL AGO AIR ALEX ALLE AMP AMT APP ARM ATO AVA AXON BALL BANC BEN BIG BIT BOOT BOX BTU "
    "BUD BURL CAG CAKE CALM CAR CARR CASH CAT CCI CDC CHEF CMS CNC COIN COLL CON COO COP COR COST CPF CPI CSR CTS "
    "CUBI CURB DAL DAN DASH DEA DECK DEI DIS DNOW DOC DORM DOT DOW EAT EME EPC ERIC ERIE ESE ESS ETN EVER EYE FANG "
    "FAST FCF FIG FIVE FIX FIZZ FMC FORM FOX FUN GAIN GAP GEN GEO GILD GOLD GOLF GOOD GPS GRAB HAL HAS HCA HEAR HIGH "
    "HIS HOG HOLD HON HOOD HOPE HOT HUM ICE IDEX INN IRR JOE KAI KEY KIM LAND LEG LEN LEVI LIFE LIN LINE LIVE LOVE "
    "LOW LPG LTC LULU MAA MAC MAN MAR MARA MAS MAT MCD MEME MET META MORE MSCI NEO NET NICE NOC NOG NRG NSC NYT OLD "
    "OMC OPEN OPK OTIS OUT PARA PATH PEAK PEG PEP PINS PLAN PLAY PLUG PLUS POOL POST PRA PRIM PSX PTC PUMP RACE RAIL "
    "RAMP RBC REAL REG RES REX RIO RNG ROCK ROG ROST RRR RUN SAFE SAN SAP SAVA SAVE SELF SEM SHO SHOO SHOP SIG SITE "
    "SKY SNAP SNOW SPOT STEP STT SUN TAP TAR TBD TDS TEAM TECH TEL TER TILE TOL TREE TRI TRIP TRU TRUE TURN TWO TXT "
    "UNIT URI USB UTL VALE VERY VIA WAB WAT WAVE WAY WELL WEN WISH WOLF WORK WWW XYZ YELP ZBRA"
)
"""Tickers of three letters or more that are words, names or acronyms as well."""

ACRONYMS = _set(
    "AI AL ALL AM AN ARE AS AT AX BE BY CAN CB CEO CFO CI DD DE DO ED EL EPS ES EU EV FED FOR GDP GO GOLD HE HER HR "
    "IF IN IP IPO IR IS IT LI MD ME MY NE NEW NO NOW OF OI ON ONE OR PM PR QE RE RF SE SEE SO TV UA UK UP US USA WAS "
    "WE WHO WS YOU"
)
"""Tickers that are nearly always something else: linked only as cashtags and behind an exchange."""
