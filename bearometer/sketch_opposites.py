"""Which way a text points: pairs of opposite words, English only."""

import re
from collections.abc import Iterator

__all__ = ["AXES", "NEGATED", "find_opposites", "read_stance", "stance_of"]

_NOT = "not no never cannot without nor isnt wont doesnt didnt dont wasnt cant denies"
_NEGATIONS = frozenset(_NOT.split())

_OPPOSITES = """
up rise rises rising rose gain gains gained gaining jump jumps jumped surge surges surged surging climb climbs climbed
  soar soars soared soaring rally rallies rallied higher advances advanced spikes spiked rebounds rebounded
  uptrend / down fall falls falling fell drop drops dropped dropping plunge plunges plunged slump slumps slumped sink
  sinks sank tumble tumbles tumbled decline declines declined slide slides slid lower crash crashes crashed slips
  slipped dips downtrend
beat beats beating tops topped exceeds exceeded / miss misses missed missing lags trails
raise raises raised raising hike hikes hiked boost boosts boosted boosting lift lifts lifted increase increases
  increased / cut cuts cutting lowers lowered slash slashes slashed reduce reduces reduced trim trims trimmed decrease
  decreases decreased
upgrade upgrades upgraded / downgrade downgrades downgraded
buy buys buying bought purchase purchases purchased acquires acquired / sell sells selling sold unloads dumps
buy outperform overweight / hold neutral perform
sell underperform underweight / hold neutral perform
bullish bull bulls / bearish bear bears
long longs / short shorts
call calls / put puts
above over / below under
profit profits profitable / loss losses lost
win wins won winning / lose loses losing
approve approves approved approving approval clear clears cleared clearing allow allows allowed permits permitted backs
  backed backing accept accepts accepted accepting agree agrees agreed agreeing passes passed endorses endorsed
  / reject rejects rejected rejection rejecting block blocks blocked blocking refuse refuses refused refusal declines
  opposes opposed bans banned bars barred halt halts halted halting vetoes vetoed stop stops stopped stopping forbids
  prohibits turns_down
support supports / resistance
overweight outperform outperforms overbought overvalued
  / underweight underperform underperforms oversold undervalued
gainers winners best strong stronger strongest strength good better great top
  / losers worst weak weaker weakest weakness bad worse poor bottom
opens open opening opened reopens / closes close closing closed shuts shut shutting
meet meets met meeting achieves achieved reaches hits succeeds succeeded success successful
  / fail fails failed failing failure misses missed unsuccessful
likely / unlikely
more / fewer less
most / least
for favour favor favours favors / against
positive optimistic confident upbeat hopeful / negative pessimistic cautious gloomy downbeat
high highs highest / low lows lowest
start starts started starting begin begins began launch launches launched enters entered in_talks opens resume resumes
  resumed resuming restarts restarted reinstates reinstated continues continued
  / end ends ended ending stop stops stopped stopping halt halts halted halting suspend suspends suspended suspending
  pauses paused quits abandons abandoned scraps scrapped cancels cancelled canceled withdraws withdrew drops shelves
  shelved finishes
launch launches launched launching introduces introduced unveils releases released
  / recall recalls recalled recalling withdraws withdrew discontinues discontinued pulls
hire hires hired hiring recruit recruits recruiting appoints appointed names named
  / fire fires fired firing layoff layoffs lays_off laid_off sacks sacked dismisses dismissed ousts ousted
confirm confirms confirmed confirming reaffirms reaffirmed reiterates maintains keeps kept stands_by affirms
  / withdraw withdraws withdrew withdrawn denies denied deny drops abandons scraps retracts retracted revokes revoked
take takes took taking builds acquires enters buys / exit exits exited exiting dumps sells leaves left
join joins joined joining enter enters entered returns / leave leaves leaving exit exits exited quit quits resigns
expand expands expanded expanding expansion grow grows growing grew growth widen widens widened
  / shrink shrinks shrank shrinking contracted contraction narrow narrows narrowed
early earlier / late later delayed
before ahead / after
increase increases increased / declines declined
win wins won / lost
ease eases eased easing loosens relaxes softens / tighten tightens tightened tightening hardens toughens
accelerate accelerates accelerated accelerating faster quickens quicken
  / slow slows slowed slowing slower decelerates slowdown
add adds added adding creates created create / cut cuts axes axed shed sheds eliminates removes removed remove
worse worsen worsens worsened worsening deteriorates deteriorated / better improve improves improved improving
  improvement
strengthen strengthens strengthened / weaken weakens weakened
inflow inflows / outflow outflows
import imports / export exports
surplus / deficit
demand / supply
buyer buyers / seller sellers
borrow borrows borrowed borrower borrowers / lend lends lent lender lenders
pass passes passed / fail fails failed
extend extends extended extending renews renewed renew lengthens
  / shorten shortens shortened terminates terminated cancels cancelled canceled ends ended expires
win wins won gains gained / forfeits lose loses lost
settle settles settled / sue sues sued fights contests
guilty convicted convicts / innocent acquitted cleared acquits
legal lawful / illegal unlawful
hot / cold
hawkish / dovish
cheap cheaper / expensive pricey dear
premium / discount
minimum / maximum
tailwind tailwinds / headwind headwinds
peak peaks peaked / trough bottoms bottomed
oversupply glut / shortage shortages scarcity
merge merges merged merging / split splits demerge spins_off separates
"""
_AXES = tuple(tuple(side.split() for side in line.split("/")) for line in re.split(r"\n(?! )", _OPPOSITES.strip()))
AXES = tuple((first[0], second[0]) for first, second in _AXES)
"""Pairs of opposites, each by its first words; of a stance each has two bits, the first word's the lower one."""
NEGATED = 1 << (2 * len(AXES))
"""The bit for "not" and its like."""
assert 2 * len(AXES) + 1 <= 128, "the stance of a leader is 16 bytes"

_BITS: dict[str, int] = {}
for _axis, _sides in enumerate(_AXES):
    for _side, _named in enumerate(_sides):
        for _word in _named:
            _BITS[_word] = _BITS.get(_word, 0) | 1 << (2 * _axis + _side)
_FIRST = sum(1 << (2 * axis) for axis in range(len(AXES)))
"""The lower bit of each pair."""
_PHRASES = {phrase: bits for phrase, bits in _BITS.items() if "_" in phrase}
_SECOND = frozenset(phrase.split("_")[1] for phrase in _PHRASES)


def stance_of(word: str) -> int:
    """Bits of the sides that a word is on; 0 for most words."""
    return _BITS.get(word, 0)


def read_stance(words: list[str]) -> int:
    """Bits: for each pair of opposites whether one of either side is among the words, and NEGATED."""
    stance = 0
    before = ""
    for word in words:
        if word in _BITS:
            stance |= _BITS[word]
        elif word in _NEGATIONS or word.endswith("n't"):
            stance |= NEGATED
        if word in _SECOND:
            stance |= _PHRASES.get(f"{before}_{word}", 0)
        before = word
    return stance


def find_opposites(one: int, other: int) -> Iterator[tuple[str, str]]:
    """The pairs of which one text has only one side, and the other only the other; the same in either order."""
    hits = (_only_first(one) & _only_second(other)) | (_only_second(one) & _only_first(other))
    while hits:
        lowest = hits & -hits
        yield AXES[(lowest.bit_length() - 1) // 2]
        hits ^= lowest


def _only_first(stance: int) -> int:
    return stance & ~(stance >> 1) & _FIRST


def _only_second(stance: int) -> int:
    return (stance >> 1) & ~stance & _FIRST
