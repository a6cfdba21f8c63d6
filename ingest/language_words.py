"""Small words, and words of the market, that give a language away. No word is both in English and in another list.

What English writes too is left out of the others (`die`, `sin`, `est`, `per`), also where it is rare: a wrong "not
English" costs a post, a wrong "undetermined" costs nothing. A word may stand in several lists other than English.
"""

# ruff: noqa: RUF001 # the dotless i of Turkish is meant

__all__ = ["ENDS_NAMES", "ENGLISH", "ENGLISH_MARKET", "FOREIGN", "IN_ALL_LANGUAGES", "IN_NAMES"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IN_ALL_LANGUAGES = _words(
    "inc corp ltd plc co llc sa ag nv etf etfs eps eod usd eur nyse nasdaq dow ceo cfo ipo video twitter facebook "
    "google apple amazon microsoft intel youtube iphone ipad android rt np fintech trading"
)
"""What says nothing: names and terms that every language has taken over."""

IN_NAMES = _words(
    "de la del do da dos das du di dei della degli delle von van der den le el al les los las "
    "et und ve och og és "
    "borsa börse bolsa bursa bursă bourse spółka giełda compania công ty cổ phần không"
)
"""What stands in names too (Luis de la Torre, Deutsche Börse): beside English words it says nothing."""

ENDS_NAMES = _words(
    "bank energy power steel gold oil media data tech company exchange fund car cars motor motors plant drug drugs "
    "mines mine storm holdings options trust first gap target best"
)
"""English words that stand in names in every language: with a capital they say nothing."""

ENGLISH = _words(
    "the of to and for with from at by after before as is are was were will be been has have had not but this that "
    "these those it its it's i i'm you your my we our us they their he his she her who what when where why how which "
    "while than then there here just still into out up down over under about against amid between through during "
    "until since because if or so can can't could would should may might must do does did don't didn't won't isn't "
    "all any some more most less much many other another new only even also too very now today yesterday tomorrow "
    "off on being get got getting going gonna let let's make makes made making see says said say take takes took "
    "need needs want wants think know look looks looking like way back time year years week weeks month day days "
    "first last next good great best better big long right well really never ever every each both same per "
    "via lol wow yes people"
)

ENGLISH_MARKET = _words(
    "shares share stock stocks earnings price prices target buy buys buying sell sells selling sold bought dividend "
    "dividends quarter quarterly revenue revenues sales profit profits loss losses growth rating ratings raised "
    "raises lowered lowers cut cuts upgraded downgraded upgrade downgrade reiterated reiterates reaffirmed beat beats "
    "miss misses estimates consensus analyst analysts analysis report reports reported reporting results acquires "
    "acquired acquire acquisition merger deal deals stake position holdings investors investor invest investing "
    "investment insider market markets trade trades trading trader traders bullish bearish calls puts options call "
    "put short strong weak higher lower high low open close closed volume chart charts alert alerts news update "
    "updated watch movers mover gainers losers top support resistance breakout gap bid ask company bank drug drugs "
    "plan plans announces announced launch launches declares declared issues files filed review setup added triggered "
    "broke tech energy gold ideas forum message board filings current yield summary exchange change financials quotes "
    "prev date data media fund ex-div vs oil buyback premarket unusual names named appoints appointed chairman chief "
    "executive director president judge court sues sued probe probes recall recalls jobs plant workers strike "
    "forecast outlook guidance warns warning slumps jumps falls rises soars plunges sinks surges tumbles drops gains "
    "rallies slides slips climbs hits fell rose output demand takes steps plunge plunged plunging tumble tumbled "
    "slump slumped soar soared surge surged jump jumped jumping drop dropped sink sank slide slid slipped climbed "
    "rally rallied rallying rebound rebounds rebounded falling rising crash crashes crashed crater craters cratered "
    "sag sags dips dipped eases eased ends ended opens opened set raises raise resigns resigned resign quits quit "
    "retires retired ousted ousts fired fires hires hired joins joined leaves leaving departs exits exited dies died "
    "jailed arrested charged indicted convicted cleared accused questioned halts halted suspends suspended resumes "
    "resumed delays delayed postpones cancels cancelled canceled scraps scrapped drags shuts shut shutting closes "
    "closing idles idled stops stopped starts started begins warned cautions sues suing suit lawsuit fined fines "
    "faces facing probed probing investigated raided raid seized settles settled settlement denies denied rejects "
    "rejected blocks blocked approves approved approval clears wins won loses lost lands lifts lifted hikes hiked "
    "slashes slashed trims trimmed halves halved doubles doubled boosts boosted tops topped lags missed swings swung "
    "posts posted books booked sees seen eyes mulls weighs considers seeks sought offers offered bids taps tapped "
    "signs signed inks agrees agreed spins spun splits merges merged buyout takeover stakes offloads unloads unit "
    "sheds shed swaps orders ordered recalled pulls pulled expands expanded builds built opens adds adding ships "
    "shipped hacked hack fails failed failing failure defaults defaulted bankruptcy bankrupt rescued rescue bailout "
    "pays paid payout owes borrows raising hedges bets betting backs backed pledges pledged urges urged tells told "
    "calls called speaks spoke talks reveals revealed revelation strikes wage wages layoffs sacks sacked losing "
    "weakens weaker stronger strengthens worst record fraud scandal rogue outage fire storm claims fees fee loans "
    "loan debt bond bonds wind farm mine steel power plane planes flight flights car cars maker lender lenders owner "
    "board boardroom shareholder shareholders holder holders head forecasts expectations views earned earns widens "
    "widened narrows narrowed sweetens reroutes ramps grounded retreats outlines unveils unveiled introduces expects "
    "expected upbeat downbeat steady fresh private public short-selling selloff tumbling soaring sinking surging "
    "plunging spending jets mines refinery ship"
)
_ALL_ENGLISH = (
    ENGLISH
    | ENGLISH_MARKET
    | _words(
        "a an in no me am die hat man men son on or so as has had den dem im um us hay tan sin est par pour ya op "
        "dat met door er plus sale come more side per con te e o y i x tap end kan for var mi ma son data de is"
    )
)

_LISTS = {
    "es": _words(
        "el la los las de del que y en un una unos unas por para con se su sus al lo le les no es está están fue ser "
        "más mas pero como cuando donde dónde qué porque esto este esta estos estas ese esa muy hoy ayer mañana ha "
        "han había hace tras ante bajo durante contra mientras aunque sobre entre desde hasta también ya mi tu te nos "
        "yo ahora si sí todo todos cada acciones acción bolsa ganancias ventas beneficio beneficios precio empresa "
        "mercado trimestre resultados millones compra compró vende venta sube suben baja bajan cae caen cerró cierre "
        "dólar dólares según"
    ),
    "pt": _words(
        "o os de da dos das do que e em um uma uns umas por para com se seu sua seus suas ao aos à não é foi ser mais "
        "mas como quando onde porque isto este esta isso esse essa muito hoje ontem amanhã tem têm está estão são "
        "pelo pela pelos pelas após durante contra enquanto sobre entre até também já eu você vou vai ele ela agora "
        "nos nas na depois foram ações ação bolsa lucro lucros vendas preço empresa mercado trimestre resultados "
        "milhões compra venda sobe cai queda alta dólar dólares fecha fechou reais"
    ),
    "fr": _words(
        "le la les de des du un une et en au aux que qui ce cette ces dans sur pas ne avec plus il elle nous vous ils "
        "je tu ont été être était mais où comme quand très aujourd'hui hier demain selon après avant chez leur leurs "
        "sa ses se tout sous pendant depuis chez sans tous contre entre vers encore aussi à près fait c'est n'est "
        "j'ai d'une d'un l'action actions bourse bénéfice bénéfices chiffre cours résultats trimestre hausse baisse "
        "marché ventes annonce entreprise milliards titre objectif recule grimpe"
    ),
    "de": _words(
        "der das und ist nicht ein eine einen einem einer mit von zu den dem auf für sich auch nach bei aus wie noch "
        "nur wird werden wurde hat haben sind ich wir sie mir mich kein keine mehr über zum zur bis seit gegen aber "
        "oder wenn dass wegen trotz ohne zwischen während durch ihre ihren seine seinen weil schon sehr jetzt heute "
        "morgen gestern beim vom unter diese dieser dieses aktie aktien kurs kurse börse gewinn umsatz verlust steigt "
        "fällt jahr unternehmen quartal prognose zahlen kaufen verkaufen anleger kursziel milliarden millionen"
    ),
    "it": _words(
        "il lo la gli le di del della dei delle dello degli che e è un una uno con non per si sul sulla nel nella dal "
        "dalla al alla ai alle da anche più ma come quando dove perché questo questa questi molto oggi ieri domani ha "
        "hanno sono essere stato ho ci tra fra dopo prima ancora già tutto "
        "azioni azione borsa utile utili ricavi titolo prezzo mercato trimestre risultati miliardi milioni sale "
        "scende crolla acquista vendite"
    ),
    "nl": _words(
        "het een van en niet zonder tijdens onder voor zijn te aan om dan maar ook bij nog wel naar wordt uit worden "
        "heeft hebben deze dit geen ik je jij wij hij zij hun onze waar wat hoe als na tot tegen meer veel vandaag "
        "gisteren morgen koers aandeel aandelen beurs winst omzet verlies stijgt daalt jaar bedrijf kwartaal cijfers "
        "kopen verkopen gaat staat miljard miljoen de"
    ),
    "sv": _words(
        "och att det som en ett är av för på med inte till den har de om ett men från kan nu sin sitt sina efter vid "
        "mot eller också när var så hade blir mer än vi jag i år idag igår imorgon "
        "aktie aktien aktier aktierna kursen börsen vinst vinsten omsättning förlust stiger faller bolaget kvartalet "
        "resultat miljoner miljarder köp sälj"
    ),
    "da": _words(
        "og at det som en et er af for på med ikke til den har de om fra kan nu sin efter ved mod eller også når "
        "var så havde bliver mere end vi jeg år dag "
        "aktie aktien aktier aktierne kursen børsen overskud omsætning underskud stiger falder selskabet kvartal "
        "millioner milliarder køb sælg"
    ),
    "no": _words(
        "og det som en et er av på med ikke til den har de om fra kan nå sin etter ved mot eller også når var så "
        "hadde blir mer enn vi jeg år dag "
        "aksje aksjen aksjer aksjene kursen børsen overskudd omsetning tap stiger faller selskapet kvartal "
        "millioner milliarder kjøp selg"
    ),
    "fi": _words(
        "ja on ei että se oli mutta kun myös ovat sen joka hän minä mikä niin kuin jo vain nyt tänään eilen huomenna "
        "osake osakkeen osakkeet kurssi pörssi tulos tulosta liikevaihto nousi laski yhtiö yhtiön vuoden miljoonaa "
        "miljardia osta myy"
    ),
    "pl": _words(
        "i w na z się nie że jest do od po dla przez ale jak już tylko są był była ma przed także oraz który która "
        "które za co o ze czy dziś dzisiaj wczoraj jutro roku "
        "akcje akcji kurs giełda giełdzie zysk zysku strata przychody spółka spółki wyniki kwartał rośnie spada mln "
        "mld kupuj sprzedaj"
    ),
    "cs": _words(
        "a v na se že je do od po pro ale jak už jen jsou byl byla má před také který která které za co o ze dnes "
        "včera zítra roku "
        "akcie akcií kurz burza zisk zisku ztráta tržby společnost společnosti výsledky čtvrtletí roste klesá "
        "milionů miliard"
    ),
    "ro": _words(
        "și de la în cu pe din pentru nu este sunt a fost mai dar cum când unde care acest această după prin sau "
        "azi ieri mâine lui "
        "acțiuni acțiunile acțiunilor bursa bursă profit profitul vânzări compania companiei trimestrul rezultate "
        "milioane miliarde crește scade"
    ),
    "tr": _words(
        "ve bir bu da de için ile çok daha ama gibi kadar olarak olan oldu var yok ne en mi mı sonra önce göre her "
        "şu biz ben hakkında ile karşı bugün dün yarın "
        "hisse hissesi hisseleri hisseler borsa borsada kâr karı zarar gelir satış şirket şirketi şirketin çeyrek "
        "milyon milyar yükseldi düştü arttı dolar yüzde fiyat hedef"
    ),
    "id": _words(
        "yang dan di ke dari untuk dengan ini itu pada adalah tidak akan telah sudah dalam oleh juga karena bisa ada "
        "atau lebih saat hari tahun kami kita saya mereka hingga masih jadi setelah "
        "saham harga naik turun laba rugi bursa perusahaan kuartal pendapatan penjualan beli jual miliar juta "
        "triliun keuntungan persen tak"
    ),
    "tl": _words(
        "ang ng mga sa na ay ko mo ka niya siya sila kami tayo natin hindi wala meron para kung kasi pero din rin "
        "lang naman ito iyan po ngayon bukas kahapon dahil"
    ),
    "vi": _words(
        "và của là có không được cho với các những một này đã sẽ trong từ đến khi người năm ngày tại về theo hơn "
        "cổ phiếu công ty giá tăng giảm lợi nhuận doanh thu quý thị trường tỷ triệu đồng mua bán"
    ),
    "hu": _words(
        "az és hogy nem egy van volt de is meg már csak ez ezt azt mint után szerint még lesz ma tegnap holnap "
        "részvény részvények árfolyam tőzsde nyereség bevétel veszteség cég negyedév milliárd millió emelkedett "
        "esett"
    ),
    "ca": _words(
        "el la els les de del dels i que amb per no és un una però més aquest aquesta avui ahir demà són està han "
        "accions borsa guanys vendes preu empresa mercat resultats milions"
    ),
    "hi": _words(  # as it is written in Latin letters, Urdu too
        "hai hain ka ki ke ko se mein nahi nahin nhi na aur bhi tha thi kar karna raha rahi mera meri mere tera teri "
        "tere tum hum jo koi yeh woh wo ye kya ab sab aaj phir bahut bahot kuch hota apna apni jab kaise paisa "
        "yaad dil khud par hone kabhi kisi usay ham tumhen tujhe mujhe ho gaya gayi kr"
    ),
}
FOREIGN: dict[str, frozenset[str]] = {language: words - _ALL_ENGLISH for language, words in _LISTS.items()}
