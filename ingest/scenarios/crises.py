"""The crises of the scenarios: bad news about one company, in sentences of our own."""

from dataclasses import dataclass

__all__ = ["CRISES", "Crisis"]


@dataclass(frozen=True, slots=True)
class Crisis:
    """Bad news about one company: what people write, with slots of its own; some of it hostile as well."""

    symbol: str
    posts: int
    news: tuple[str, ...]
    social: tuple[str, ...]
    slots: dict[str, tuple[str, ...]]
    hostile: str


_REACTION = (
    "shares plunge {crash}%",
    "stock crashes {crash}%",
    "shares tumble {crash}%",
    "stock falls {crash}% in heavy selling",
    "shares sink {crash}%, lowest in {few} years",
    "stock slumps {crash}%, its worst day in {few} years",
    "shares drop {crash}% to {low}",
)
_OUTRAGE = (
    "disaster for shareholders",
    "this is a disaster",
    "sold at a big loss",
    "going lower, short it",
    "investors are fleeing",
    "heavy losses for shareholders",
    "no bottom in sight",
)
_ANALYSTS = (
    "{broker} downgrades {who} to sell and slashes target to {low} on {shock}, {reaction}",
    "{broker} cuts {who} to underperform after {shock}, {reaction}",
    "{who} shares plunge {crash}% premarket after {shock}",
    "{who} warns of {loss} loss after {shock}, {reaction}",
    "{who} cuts full-year guidance after {shock}, {reaction}",
    "{who} sued by investors over {shock}, {reaction}",
    "{who} credit rating cut to junk after {shock}, {reaction}",
)
_CROWD = (
    "{cash} down {crash}% after {shock}, {outrage} \N{CHART WITH DOWNWARDS TREND}",
    "{cash} is crashing after {shock}, {reaction}, {outrage}",
    "{cash} plunging {crash}% on {shock}, {outrage}",
    "{cash} stock is collapsing after {shock}, down {crash}%, {outrage}",
    "{shock} sinks {co}: {reaction}, {outrage}",
    "{cash} sinks {crash}% on {shock}, lost most of my money",
)
_COMMON = {
    "reaction": _REACTION,
    "outrage": _OUTRAGE,
    "loss": ("${few}00 million", "${few}{few}0 million", "heavy", "record", "${few} billion"),
}

CRISES = {
    "product-recall": Crisis(
        symbol="NTHW",
        posts=62,
        news=(
            *_ANALYSTS,
            "{who} recalls {units} packs of {product} over {harm}, {reaction}",
            "{who} halts {product} sales after {harm} reports, {reaction}",
            "Regulator opens probe into {who} after {harm} in {product}, {reaction}",
            "{who} shuts {place} plant over {harm}, {reaction}",
            "Supermarkets pull {who} {product} after {harm}, {reaction}",
        ),
        social=(*_CROWD, "{harm} found in {co} {product}, {reaction}, {outrage}"),
        slots={
            **_COMMON,
            "shock": ("the {product} recall", "the {harm} recall", "the {harm} scandal", "the {place} plant shutdown"),
            "harm": ("listeria contamination", "glass fragments", "salmonella", "metal shavings", "contamination"),
            "units": ("1.2 million", "400,000", "2 million", "900,000", "650,000"),
        },
        hostile="<!channel> {cash} crash!! <script>recall()</script> shares plunge {crash}% on {shock} &amp; lawsuit",
    ),
    "fraud": Crisis(
        symbol="HRBK",
        posts=58,
        news=(
            *_ANALYSTS,
            "{who} shares plunge {crash}% on criminal investigation over {fraud}",
            "{who} shares fall {crash}% as police raid its {place} offices in {fraud} probe",
            "{who} CFO resigns amid {fraud} scandal, {reaction}",
            "{who} admits {fraud}, will restate {few} years of accounts, {reaction}",
            "{who} faces bankruptcy fears as {fraud} probe widens, {reaction}",
        ),
        social=(*_CROWD, "{cash} {reaction} as {co} is caught in {fraud}, {outrage}"),
        slots={
            **_COMMON,
            "shock": ("the {fraud} scandal", "the fraud probe", "the accounting fraud", "the criminal investigation"),
            "fraud": ("accounting fraud", "loan fraud", "money laundering", "fake accounts fraud", "bribery"),
        },
        hostile="<!channel> {cash} fraud!! =cmd|' /C calc'!A0 shares plunge {crash}% on {shock} &amp; bankruptcy fears",
    ),
    "data-breach": Crisis(
        symbol="NMBRA",
        posts=66,
        news=(
            *_ANALYSTS,
            "{who} hacked: {units} customer records stolen, {reaction}",
            "{who} {product} down for hours after cyberattack, {reaction}",
            "Regulator opens probe into {who} over data breach of {units} users, {reaction}",
            "{who} loses {partner} contract after data breach, {reaction}",
            "{who} hit by class action lawsuit over {leak}, {reaction}",
        ),
        social=(*_CROWD, "{cash} {reaction} over {leak}, {outrage}"),
        slots={
            **_COMMON,
            "shock": ("the data breach", "the ransomware attack", "the {leak} scandal", "the {product} outage"),
            "leak": ("stolen passwords", "leaked medical records", "hacked accounts", "leaked card numbers"),
            "units": ("12 million", "40 million", "3.5 million", "70 million"),
        },
        hostile="<!channel> {cash} hacked!! \x1b[31m<b>shares plunge {crash}%\x1b[0m on {shock} &amp; lawsuit",
    ),
}
