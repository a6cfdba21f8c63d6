import re
import struct
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearometer.errors import Misconfigured
from bearometer.settings import ModelSettings
from model import assess as assess_module
from model.assess import Assessment, LabelledSet, assess, rows_to_judge
from model.classifier import Classifier
from model.cost import Contender, Cost
from model.dataset import Example
from model.findings import Grid, Plot, Section, findings
from model.plots import confusion_plot, reliability_plot
from model.report import report_html, report_markdown, write_report
from tests.unit.model.rules import RuleClassifier, by_words

EXAMPLES = (
    Example("$QMRK falls", 0),
    Example("$TERN rises", 2),
    Example("Lumen meets", 1),
    Example("Lumen rises, not for long", 0),
)
MENTIONS = (Example("Tern falls, Lumen too", mentions=(("Tern", 0), ("Lumen", 0), ("ZZZZ", 1))),)


def always_neutral(text: str, entity: str | None) -> str:
    return "neutral"


@pytest.fixture
def assessment(monkeypatch: pytest.MonkeyPatch) -> Assessment:
    rules = {"words": by_words, "neutral": always_neutral}
    monkeypatch.setattr(Contender, "open", lambda self: RuleClassifier(rules[self.baseline]))
    monkeypatch.setattr(assess_module, "measure_cost", lambda contender, examples: Cost(1.5, len(examples), 200, 90))
    contenders = [Contender(ModelSettings(), name) for name in ("words", "neutral", "words")]
    sets = [
        LabelledSet("rows.csv", "sentiment", "all", EXAMPLES),
        LabelledSet("named.jsonl", "mentions", "development", MENTIONS),
    ]
    done: list[int] = []
    found = assess(contenders, sets, checks=True, on_rows=done.append)
    assert sum(done) == rows_to_judge(sets, 3, checks=True), "the bar ends where it should"
    return found


def test_all_models_stand_beside_each_other_and_the_first_is_compared_with_the_rest(assessment: Assessment) -> None:
    assert assessment.models == ["by_words@1", "always_neutral@1", "by_words@1 (2)"]
    found = assessment.sets[0].comparisons
    assert list(found) == ["always_neutral@1", "by_words@1 (2)"]
    assert found["always_neutral@1"]["sentiment"].accuracy.value == pytest.approx(0.5)
    assert found["by_words@1 (2)"]["sentiment"].accuracy.value == 0


def topics_and_bystander(self: Contender) -> Classifier:
    return RuleClassifier(topic="IPO" if self.baseline is None else None)


def test_another_contender_that_answers_nothing_of_a_set_has_no_figures_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Contender, "open", topics_and_bystander)
    monkeypatch.setattr(assess_module, "measure_cost", lambda contender, examples: Cost(1.5, len(examples), 200, 90))
    sets = [
        LabelledSet("rows.csv", "sentiment", "all", EXAMPLES),
        LabelledSet("topics.csv", "topic", "all", (Example("Lumen falls", topic=3),)),
    ]
    contenders = [Contender(ModelSettings()), Contender(ModelSettings(), "vader")]
    done: list[int] = []
    found = assess(contenders, sets, checks=True, on_rows=done.append)
    assert sum(done) == rows_to_judge(sets, 2, checks=True)
    assert [list(each.evaluation.tasks) for each in found.sets[1].models.values()] == [["topic"], []]
    assert found.sets[1].comparisons == {"by_words@1 (2)": {}}
    assert list(found.sets[0].comparisons["by_words@1 (2)"]) == ["sentiment"]
    section = next(each for each in findings(found) if each.title.startswith("topics.csv"))
    assert section.grids[0].header == ("", "by_words@1")
    assert not any("against others" in grid.title for grid in section.grids)
    assert found.to_dict()["sets"][1]["models"]["by_words@1 (2)"]["tasks"] == {}


def test_the_first_contender_must_answer_and_is_asked_once_before_any_check(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = RuleClassifier()
    monkeypatch.setattr(Contender, "open", lambda self: classifier)
    sets = [
        LabelledSet("rows.csv", "sentiment", "all", EXAMPLES),
        LabelledSet("topics.csv", "topic", "all", (Example("Lumen falls", topic=3),)),
    ]
    with pytest.raises(ValueError, match="none of 1 examples has a label that by_words@1 answers"):
        assess([Contender(ModelSettings())], sets, checks=True)
    assert len(classifier.judged) == len(EXAMPLES) + 1


def test_only_one_model_is_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: set[int] = set()

    class Counted(RuleClassifier):
        def __init__(self) -> None:
            super().__init__()
            assert not alive
            alive.add(id(self))

        def __del__(self) -> None:
            alive.discard(id(self))

    def open_counted(self: Contender) -> Classifier:
        return Counted()

    monkeypatch.setattr(Contender, "open", open_counted)
    assess([Contender(ModelSettings())] * 3, [LabelledSet("rows.csv", "sentiment", "all", EXAMPLES)])


def test_a_report_has_a_section_for_each_task_and_each_check(assessment: Assessment) -> None:
    titles = [section.title for section in findings(assessment)]
    assert titles[0] == "rows.csv: sentiment, 4 labels of 4 rows (all)"
    assert titles[1] == "named.jsonl: mentions, 3 labels of 1 rows (development)"
    assert [title.split(":")[0].split(",")[0] for title in titles[2:]] == ["Robustness", "Bias", "Time and memory"]


def test_every_row_of_a_table_has_a_cell_for_each_column(assessment: Assessment) -> None:
    for section in findings(assessment):
        for grid in section.grids:
            assert {len(row) for row in grid.rows} <= {len(grid.header)}, grid.title


def test_mentions_that_are_not_in_their_text_are_told(assessment: Assessment) -> None:
    assert findings(assessment)[1].grids[0].note.startswith("1 mentions were not found in their text")


def test_the_json_names_models_tasks_and_checks(assessment: Assessment) -> None:
    content = assessment.to_dict()
    first = content["sets"][0]["models"]["by_words@1"]
    assert first["tasks"]["sentiment"]["accuracy"] == 0.75
    assert len(first["tasks"]["sentiment"]["intervals"]["accuracy"]) == 2
    assert {each["change"] for each in first["robustness"]} >= {"typos", "capitals"}
    assert {each["kind"] for each in content["bias"]["by_words@1"]} == {"company", "country", "person"}
    assert content["costs"]["always_neutral@1"]["rows_per_second"] == 200


class Page(HTMLParser):
    """What a page consists of."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.words = ""
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_needs_no_other_file_and_runs_nothing(assessment: Assessment, tmp_path: Path) -> None:
    written = write_report(tmp_path / "new" / "out", assessment, "How good?")
    page = Page((tmp_path / "new" / "out" / "report.html").read_text())
    assert page.tags.count("img") == 4  # reliability and confusion, of two tasks
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "script" not in page.tags and "link" not in page.tags
    assert [path.name for path in written[:2]] == ["report.html", "report.md"]
    markdown = written[1].read_text()
    for name in re.findall(r"!\[.*\]\((.*)\)", markdown):
        assert (tmp_path / "new" / "out" / name).read_bytes().startswith(b"\x89PNG")


def test_a_folder_that_cannot_be_written_to_is_refused(assessment: Assessment, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Misconfigured, match="cannot be written"):
        write_report(tmp_path / "file", assessment, "How good?")


@given(st.text(max_size=40))
def test_no_name_breaks_the_page_or_the_markdown(name: str) -> None:
    sections = [Section(name, (Grid(name, ("a", name), ((name, "1"),), name),), (Plot("p", name, b"png"),))]
    page = Page(report_html(name, sections))
    assert set(page.tags) <= set(Page(report_html("x", sections[:0])).tags) | {
        *("h2", "h3", "div", "table", "thead", "tbody", "tr", "th", "td", "p", "figure", "figcaption", "img"),
    }
    table = [line for line in report_markdown(name, sections).splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", line)) for line in table] == [3, 3, 3]
    assert "<" not in report_markdown(name, sections).replace("\\<", "")


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("name", ["$a_{b^$", "\n\x1b[31m <\u4e2d\u6587>"])
def test_no_name_breaks_a_picture(name: str) -> None:
    assert size(confusion_plot(name, (name, "b"), ((1, 0), (2, 3))))[0] > 300
    assert size(reliability_plot(name, {name: ()}))[0] > 300


def test_twenty_labels_get_a_larger_picture() -> None:
    few = size(confusion_plot("a", ("a", "b", "c"), [[1, 2, 3]] * 3))
    assert size(confusion_plot("a", [str(label) for label in range(20)], [[1] * 20] * 20)) > few
