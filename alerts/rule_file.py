"""The rules file: what is watched and who is told, in TOML, with every mistake named by its line."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from alerts.rule_keys import FILE_KEYS, MARKET_KEYS, QUIET_KEYS, RULE_KEYS, SELECTORS, SUPPLY_KEYS, Reader, nearest
from alerts.rule_lists import Groups, read_groups
from alerts.rule_source import Problem, Source, open_source, shown
from alerts.rules import SUPPLY, QuietHours, Rule, RuleSet, default_rules
from alerts.toml_lines import Place
from bearometer.alert import Measure, Severity
from bearometer.errors import Misconfigured
from bearometer.post import MARKET, source_key, topic_key
from bearometer.settings import AlertSettings

__all__ = ["CheckedRules", "Problem", "check_rules", "load_rules", "read_rules"]

SAID_AT_ONCE = 5
"""So many problems stand in one line; `bearometer rules check` has them all."""
_THRESHOLDS = ("false_alerts_per_symbol_year", "at_least")
_DEFAULT_KEYS: Mapping[str, Reader] = {key: reader for key, reader in RULE_KEYS.items() if key != "name"}
_RENAMED = {
    "pending": "pending_seconds",
    "clear_after": "clear_seconds",
    "cooldown": "cooldown_seconds",
    "repeat": "repeat_seconds",
    "after": "at_least",
}
_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
_BUILT = {"name", "symbols", "exclude", "inhibits", "quiet_hours"}
_RULE_FIELDS = {_RENAMED.get(key, key) for key in RULE_KEYS} & {each.name for each in fields(Rule)} - _BUILT
"""Fields of Rule that the file says as they are."""
_SUPPLY_FIELDS = {_RENAMED.get(key, key) for key in SUPPLY_KEYS} & _RULE_FIELDS | {"name"}
_SUPPLY_DEFAULTS = ("routes", "quiet_hours")
"""What rules on the supply take from the defaults, which are those of spikes."""


@dataclass(frozen=True, slots=True)
class CheckedRules:
    """What a rules file says, and what is wrong with it."""

    rules: RuleSet | None
    """None when there are errors."""
    problems: tuple[Problem, ...]
    """By line; those of files beside it come last."""


def load_rules(settings: AlertSettings) -> RuleSet:
    """The rules of the file that the settings name, or the default ones. Raises Misconfigured as `read_rules` does."""
    return default_rules(settings) if settings.rules is None else read_rules(settings.rules, settings)


def read_rules(path: Path, settings: AlertSettings) -> RuleSet:
    """Read a rules file; what it does not say is as the settings say.

    Raises Misconfigured with one line: the first mistakes, each with its line number, the key, the value and what is
    allowed.
    """
    checked = check_rules(path, settings)
    if checked.rules is None:
        errors = [str(problem) for problem in checked.problems if not problem.is_warning]
        more = [f"and {len(errors) - SAID_AT_ONCE} more"] if len(errors) > SAID_AT_ONCE else []
        raise Misconfigured("; ".join(errors[:SAID_AT_ONCE] + more))
    return checked.rules


def check_rules(path: Path, settings: AlertSettings, routes: Collection[str] = ()) -> CheckedRules:
    """Read a rules file and say all that is wrong with it.

    `routes` are the names of the notifiers there are: a rule that none of them takes is a warning; with no names,
    that is not looked at. Raises Misconfigured only when the file cannot be read at all.
    """
    source = open_source(path)
    rules = _Reading(source, default_rules(settings), routes).read()
    problems = sorted(source.problems, key=lambda each: (each.path != path, str(each.path), each.line))
    return CheckedRules(None if any(not each.is_warning for each in problems) else rules, tuple(problems))


class _Reading:
    """One reading of one file. Values that are wrong are noted and left out, so that each mistake is told once."""

    def __init__(self, source: Source, usual: RuleSet, routes: Collection[str]) -> None:
        self._source = source
        self._usual = usual
        self._routes = routes
        self._groups: dict[str, Groups] = {}
        self._quiet: dict[str, QuietHours | None] = {}
        self._defaults: dict[str, Any] = {}
        self._lost: dict[Place, set[str]] = {}
        """For each rule and the defaults: keys whose values are wrong."""

    def read(self) -> RuleSet:
        """Read the parts in the order in which they need one another."""
        table = self._source.table
        for key in table:
            if key not in FILE_KEYS:
                self._source.unknown((key,), key, FILE_KEYS)
        self._groups = {kind: read_groups(self._source, kind) for kind in ("lists", "sectors")}
        for place, each in self._tables("quiet_hours"):
            self._read_quiet_hours(place, each)
        market = self._source.read(table.get("market", {}), ("market",), MARKET_KEYS)
        if "false_alerts_per_year" in market:
            market["market_false_alerts_per_year"] = market.pop("false_alerts_per_year")
        self._defaults = self._read_watch(("defaults",), table.get("defaults", {}), _DEFAULT_KEYS)
        supply = self._read_all_supply()
        rules = tuple(self._read_rules({rule.name for rule in supply}))
        return replace(self._usual, rules=rules, supply=supply, **market)

    def _tables(self, key: str) -> Iterator[tuple[Place, object]]:
        found = self._source.table.get(key)
        if isinstance(found, list) and found:
            yield from (((key, number), each) for number, each in enumerate(found))
        elif found is not None:
            self._source.complain((key,), f"`{key}` is {shown(found)}; it must be written [[{key}]], with two brackets")

    def _read_quiet_hours(self, place: Place, table: object) -> None:
        found = self._source.read(table, place, QUIET_KEYS)
        missing = [key for key in ("name", "start", "end") if isinstance(table, dict) and key not in table]
        for key in missing:
            self._source.complain(place, f"`{key}` is missing")
        name = found.pop("name", None)
        if name in self._quiet:
            self._source.complain((*place, "name"), f"`name` is {shown(name)}; other quiet hours have it already")
        elif name is not None:
            whole = "start" in found and "end" in found
            self._quiet[name] = QuietHours(**found) if whole else None

    def _read_all_supply(self) -> tuple[Rule, ...]:
        if "supply" not in self._source.table:
            return tuple(self._build_supply(rule, ("defaults",), {}) for rule in self._usual.supply)
        found: dict[str, Rule] = {}
        for place, table in self._tables("supply"):
            own = self._source.read(table, place, SUPPLY_KEYS)
            for key, names in own.items():
                if _kind(key) in ("lists", "sectors", "quiet_hours"):
                    self._check_names((*place, key), key, names)
            if "kind" not in own:
                if isinstance(table, dict) and "kind" not in table:
                    self._source.complain(place, "`kind` is missing")
                continue
            rule = self._build_supply(SUPPLY[own["kind"]], place, own)
            if rule.name in found:
                why = "" if "name" in own else "; without a `name` it is called after its `kind`"
                self._source.complain(
                    (*place, "name" if "name" in own else "kind"),
                    f"`name` is {shown(rule.name)}; another [[supply]] has it already{why}",
                )
            for key in ("sources", "exclude"):
                if key in own and rule.measure is Measure.LAG:
                    self._source.complain((*place, key), f"`{key}` says nothing here: a lag is one of all sources")
            found[rule.name] = rule
        return tuple(found.values())

    def _build_supply(self, usual: Rule, place: Place, own: Mapping[str, Any]) -> Rule:
        said = {**{key: self._defaults[key] for key in _SUPPLY_DEFAULTS if key in self._defaults}, **own}
        as_fields = {_RENAMED.get(key, key): value for key, value in said.items()}
        rule = replace(
            usual,
            symbols=tuple(map(source_key, said["sources"])) if "sources" in said else usual.symbols,
            exclude=tuple(map(source_key, said.get("exclude", ()))),
            inhibits=self._chosen(said, "inhibits", "inhibits_"),
            quiet_hours=self._chosen_hours(said),
            **{field: value for field, value in as_fields.items() if field in _SUPPLY_FIELDS},
        )
        if own:
            # Quiet hours of the defaults may well be none for what is critical.
            self._check_telling(rule, place, {"quiet_hours": (), **own})
        return rule

    def _read_rules(self, taken: Collection[str]) -> Iterator[Rule]:
        if "rule" not in self._source.table:
            yield self._build(("defaults",), {"name": self._usual.rules[0].name})
        names: dict[str, Place] = {}
        for place, table in self._tables("rule"):
            own = self._read_watch(place, table, RULE_KEYS)
            name = own.setdefault("name", "")
            if isinstance(table, dict) and "name" not in table:
                self._source.complain(place, "`name` is missing")
            elif name and name in names:
                line = self._source.lines.line(names[name])
                self._source.complain(
                    (*place, "name"), f"`name` is {shown(name)}; the rule on line {line} has it already"
                )
            elif name in taken:
                self._source.complain((*place, "name"), f"`name` is {shown(name)}; a rule on the supply has it already")
            names.setdefault(name, (*place, "name"))
            yield self._build(place, own)

    def _read_watch(self, place: Place, table: object, keys: Mapping[str, Reader]) -> dict[str, Any]:
        """A rule's table or the defaults', with what it refers to."""
        found = self._source.read(table, place, keys)
        self._lost[place] = set(table if isinstance(table, dict) else ()) - set(found)
        if all(key in found for key in _THRESHOLDS):
            both = " and ".join(f"`{key}`" for key in _THRESHOLDS)
            self._source.complain((*place, "at_least"), f"{both} are both there; it must be one of them")
        for key, names in found.items():
            if _kind(key) in ("lists", "sectors", "quiet_hours"):
                self._check_names((*place, key), key, names)
        return found

    def _check_names(self, place: Place, key: str, names: Collection[str]) -> None:
        """Whether there are lists, sectors or quiet hours of these names."""
        kind = _kind(key)
        known = self._quiet if kind == "quiet_hours" else self._groups[kind]
        for name in names:
            if name not in known:
                close = nearest(name, known)
                where = "[[quiet_hours]]" if kind == "quiet_hours" else f"[{kind}]"
                meant = f"did you mean {shown(close)}?" if close else f"{where} has none of that name"
                self._source.complain(self._source.element(place, name), f"`{key}` has {shown(name)}; {meant}")

    def _build(self, place: Place, own: Mapping[str, Any]) -> Rule:
        replaced = [keys for keys in (SELECTORS, _THRESHOLDS) if any(key in own for key in keys)]
        kept = {key: value for key, value in self._defaults.items() if not any(key in keys for keys in replaced)}
        said = {**kept, **own}
        as_fields = {_RENAMED.get(key, key): value for key, value in said.items()}
        rule = replace(
            self._usual.rules[0],
            name=own["name"],
            symbols=self._watched(said),
            exclude=self._chosen(said, "exclude", "exclude_"),
            inhibits=self._chosen(said, "inhibits", "inhibits_"),
            quiet_hours=self._chosen_hours(said),
            **{field: value for field, value in as_fields.items() if field in _RULE_FIELDS},
        )
        self._check(rule, place, own)
        return rule

    def _watched(self, said: Mapping[str, Any]) -> tuple[str, ...]:
        if not any(key in said for key in SELECTORS):
            return ("*",)
        return tuple(dict.fromkeys([*self._chosen(said, "symbols", ""), *(["market"] if said.get("market") else [])]))

    def _chosen(self, said: Mapping[str, Any], symbols: str, prefix: str) -> tuple[str, ...]:
        """Patterns from a key of symbols, and from the keys of this prefix: lists, sectors and topics."""
        topics = [topic_key(topic) for topic in said.get(f"{prefix}topics", ())]
        return tuple(dict.fromkeys([*said.get(symbols, ()), *self._members(said, prefix), *topics]))

    def _chosen_hours(self, said: Mapping[str, Any]) -> tuple[QuietHours, ...]:
        return tuple(hours for name in said.get("quiet_hours", ()) if (hours := self._quiet.get(name)))

    def _members(self, said: Mapping[str, Any], prefix: str) -> Iterator[str]:
        for kind, groups in self._groups.items():
            for name in said.get(prefix + kind, ()):
                yield from groups.get(name) or ()

    def _check(self, rule: Rule, place: Place, own: Mapping[str, Any]) -> None:
        """Whether the rule can ever match, and whether anybody is told."""
        if rule.measure is Measure.SHARE and rule.at_least is not None and rule.at_least > 1:
            at = self._place_of("at_least", place, own)
            self._source.refuse(at, "at_least", rule.at_least, "a share, above 0 and 1 at most")
        if not self._is_half_read(place, own) and not _can_match(rule):
            why = "all of it is excluded" if rule.symbols else "nothing is chosen"
            self._source.complain(place, f"this rule can never match: {why}")
        self._check_telling(rule, place, own)

    def _place_of(self, key: str, place: Place, own: Mapping[str, Any]) -> Place:
        """Where this was said, of the table at `place`."""
        return (*place, key) if key in own else ("defaults", key) if key in self._defaults else place

    def _check_telling(self, rule: Rule, place: Place, own: Mapping[str, Any]) -> None:
        said = {**self._defaults, **own}
        for name in said.get("quiet_hours", ()):
            hours = self._quiet.get(name)
            if hours is not None and hours.unless is not None and _RANKS[rule.severity] >= _RANKS[hours.unless]:
                text = (
                    f"`quiet_hours` has {shown(name)}, which never hold this rule back: its severity is {rule.severity}"
                )
                self._source.complain(self._place_of("quiet_hours", place, own), text, is_warning=True)
        if self._routes and not any(fnmatchcase(name, each) for name in self._routes for each in rule.routes):
            named, there = (", ".join(shown(each) for each in names) for names in (rule.routes, sorted(self._routes)))
            text = f"`routes` has {named}; no configured route is such, so nobody is told: there are {there}"
            self._source.complain(self._place_of("routes", place, own), text, is_warning=True)

    def _is_half_read(self, place: Place, own: Mapping[str, Any]) -> bool:
        """Whether what the rule watches is not known for a mistake that has been said."""
        said = {**self._defaults, **own}
        return not (self._lost[place] | self._lost[("defaults",)]).isdisjoint(SELECTORS) or any(
            groups.get(name) is None for kind, groups in self._groups.items() for name in said.get(kind, ())
        )


def _kind(key: str) -> str:
    return key.removeprefix("exclude_").removeprefix("inhibits_")


def _can_match(rule: Rule) -> bool:
    if "*" in rule.exclude:
        return False
    return any(
        each not in rule.exclude
        if any(mark in each for mark in "*?[")
        else rule.covers(MARKET if each == "market" else each)
        for each in rule.symbols
    )
