"""`bearometer sql`, `windows`, `rebuild-windows` and `migrate`, as a person runs them."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import redis
import typer
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.engine import make_url
from typer.testing import CliRunner

from bearometer.commands.store import register
from bearometer.correction import Correction
from bearometer.embedded import Servers
from bearometer.errors import Failed, Misconfigured, Unavailable
from bearometer.mention import WHOLE
from bearometer.registry import ShadowScore
from storage.feedback import FeedbackStore
from storage.posts import PostStore
from storage.query import ask
from storage.shadow import ShadowStore
from tests.conditions import WaitUntil
from tests.stored_samples import BAD, CALM, GOOD, NOON, scored

DOCS = Path(__file__).parents[2] / "docs" / "sql.md"


@dataclass(frozen=True)
class Output:
    stdout: str
    stderr: str


Run = Callable[..., Output]


@pytest.fixture
def run(database_url: str, redis_url: str, engine: Engine) -> Run:
    PostStore(engine).save(
        [
            scored("1", text="ACME fell\u202e\x1b[31m by half", followers=None),
            scored("2", sentiment=GOOD, symbols=("ACME", "ZETA"), published_at=NOON + timedelta(hours=1), author="bob"),
            scored(
                "3", sentiment=CALM, text='=HYPERLINK("https://evil.example")', published_at=NOON + timedelta(days=1)
            ),
        ],
        [],
    )
    environment = {"BEAROMETER_POSTGRES__URL": database_url, "BEAROMETER_REDIS__URL": redis_url}
    app = typer.Typer()
    register(app)
    return _runner(app, environment)


def _runner(app: typer.Typer, environment: Mapping[str, str]) -> Run:
    def run(*arguments: str, stdin: str = "") -> Output:
        result = CliRunner(env=environment).invoke(app, arguments, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return Output(result.stdout, result.stderr)

    return run


def test_a_table_shows_hostile_text_as_plain_text(run: Run) -> None:
    output = run("sql", 'SELECT symbol, negative, text AS "t[bold]\x1b" FROM negative_posts')

    assert output.stdout.splitlines()[0].split() == ["symbol", "negative", "t[bold]"]
    assert output.stdout.splitlines()[1].split() == ["ACME", "0.7", "ACME", "fell[31m", "by", "half"]
    assert "\x1b" not in output.stdout


def test_a_table_stops_at_the_limit_and_says_so(run: Run) -> None:
    assert len(run("sql", "SELECT generate_series(1, 200)").stdout.splitlines()) == 101
    assert "the first 100 rows" in run("sql", "SELECT generate_series(1, 200)").stderr
    assert len(run("sql", "SELECT generate_series(1, 200)", "--limit", "0").stdout.splitlines()) == 201
    assert run("sql", "SELECT generate_series(1, 100)").stderr == ""


def test_csv_is_exact_unless_it_is_for_a_spreadsheet(run: Run) -> None:
    query = "SELECT id, text, followers, links, topics, -1.5 AS number FROM posts ORDER BY id"
    rows = list(csv.reader(io.StringIO(run("sql", query, "--format", "csv").stdout, newline="")))

    assert rows[0] == ["id", "text", "followers", "links", "topics", "number"]
    assert rows[1][1:3] == ["ACME fell\u202e\x1b[31m by half", ""]
    assert rows[3][1] == '=HYPERLINK("https://evil.example")'
    assert json.loads(rows[3][3]) == ["https://example.org/a", "https://example.org/b"]
    assert json.loads(rows[3][4]) == {"law": 0.1, "sales": 0.75}

    safe = list(csv.reader(io.StringIO(run("sql", query, "--format", "csv", "--spreadsheet").stdout, newline="")))
    assert safe[3][1] == '\'=HYPERLINK("https://evil.example")'
    assert safe[3][5] == "-1.5"


def test_json_is_one_object_a_line(run: Run) -> None:
    output = run(
        "sql", "-", "--format", "json", stdin="SELECT id, published_at, count(*) OVER () FROM posts ORDER BY id;"
    )

    first = json.loads(output.stdout.splitlines()[0])
    assert first == {"id": "test:1", "published_at": "2024-03-31T12:00:00+00:00", "count": 3}


def test_the_ending_of_the_file_says_the_format(run: Run, tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.parquet", "a.txt"):
        output = run("sql", "SELECT * FROM posts ORDER BY id", "--output", str(tmp_path / name))
        assert output.stdout == ""

    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column("id").to_pylist() == ["test:1", "test:2", "test:3"]
    assert table.column("published_at").to_pylist()[0] == NOON
    assert table.column("links").to_pylist()[0] == ["https://example.org/a", "https://example.org/b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.jsonl", "a.parquet", "a.txt"]


def test_a_query_that_fails_leaves_an_older_file_as_it_was(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("older")

    with pytest.raises(Failed, match="division by zero"):
        run("sql", "SELECT 1 / (2000 - n) FROM generate_series(1, 3000) AS n", "--output", str(file))

    assert file.read_text() == "older"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM posts RETURNING id",
        "DROP TABLE posts",
        "SELECT 1; DROP TABLE posts",
        "SELECT 1; COMMIT; DROP TABLE posts",
        "COMMIT",
        "SET transaction_read_only = off",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "WITH gone AS (DELETE FROM posts RETURNING id) SELECT * FROM gone",
        "COPY posts TO PROGRAM 'cat'",
        "DO $$ BEGIN DELETE FROM posts; END $$",
        "SELECT lo_create(1)",
        "SELECT nextval('deliveries_number_seq')",
        "'); DROP TABLE posts; --",
        "EXPLAIN ANALYZE DELETE FROM posts",
        "",
        "SELECT 'open",
        "SELECT \0",
        "SELECT '\udcff'",
        "SELECT timestamptz '10000-01-01'",
    ],
)
def test_a_query_that_would_do_more_than_read_or_cannot_be_read_is_refused(
    run: Run, engine: Engine, query: str
) -> None:
    with pytest.raises(Failed) as caught:
        run("sql", query)

    assert "\n" not in str(caught.value)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM posts")).scalar_one() == 3


@pytest.mark.parametrize(
    "query", ["VALUES (1)", "TABLE evaluator", "SHOW timezone", "EXPLAIN SELECT 1", " SELECT 1 ; "]
)
def test_other_statements_that_give_rows_are_answered(run: Run, query: str) -> None:
    run("sql", query)


def test_percent_signs_and_colons_are_taken_as_they_stand(run: Run) -> None:
    output = run("sql", "SELECT '100% :x %s'::text AS said WHERE 'ab' LIKE 'a%'", "--format", "json")

    assert json.loads(output.stdout) == {"said": "100% :x %s"}


def test_a_superuser_reads_tables_and_views_but_no_files(servers: Servers, database_url: str) -> None:
    database = make_url(database_url).database
    assert database is not None
    superuser = create_engine(servers.postgres.url(database, user="postgres"))
    with ask(superuser, "SELECT count(*) FROM posts", 5) as answer:
        assert list(answer.rows) == [(0,)]
    for name in (*inspect(superuser).get_view_names(), "stories_of('ACME', '2024-03-31', '2024-04-01')"):
        with ask(superuser, f"SELECT * FROM {name}", 5) as answer:
            assert not list(answer.rows)
    with pytest.raises(Failed, match="permission denied"), ask(superuser, "SELECT pg_read_file('PG_VERSION')", 5):
        pass
    superuser.dispose()


def test_a_query_that_takes_too_long_is_ended(run: Run) -> None:
    with pytest.raises(Failed, match="too long"):
        run("sql", "SELECT pg_sleep(30)", "--timeout", "0.2")


def test_rows_are_written_while_they_come(run: Run, engine: Engine) -> None:
    with ask(engine, "SELECT generate_series(1, 1000000000)", 5) as answer:
        assert [next(answer.rows) for _ in range(3)] == [(1,), (2,), (3,)]


def test_two_columns_of_one_name_are_refused_where_a_name_is_a_key(run: Run) -> None:
    with pytest.raises(Failed, match="two columns are called `n`"):
        run("sql", "SELECT 1 AS n, 2 AS n", "--format", "json")
    assert run("sql", "SELECT 1 AS n, 2 AS n", "--format", "csv").stdout.split() == ["n,n", "1,2"]


def test_an_answer_without_rows_has_its_columns(run: Run, tmp_path: Path) -> None:
    assert run("sql", "SELECT id, text FROM posts WHERE false").stdout.split() == ["id", "text"]
    assert run("sql", "SELECT id FROM posts WHERE false", "--format", "csv").stdout.strip() == "id"
    run("sql", "SELECT id FROM posts WHERE false", "--output", str(tmp_path / "none.parquet"))
    assert pq.read_table(tmp_path / "none.parquet").column_names == ["id"]


def test_wrong_options_are_told_in_one_line(run: Run, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="--format"):
        run("sql", "SELECT 1", "--output", str(tmp_path / "a.xlsx"))
    with pytest.raises(Misconfigured, match="--output"):
        run("sql", "SELECT 1", "--format", "parquet")
    with pytest.raises(Misconfigured, match="cannot be written"):
        run("sql", "SELECT 1", "--output", str(tmp_path / "none" / "a.csv"))
    with pytest.raises(Misconfigured, match="--at"):
        run("windows", "ACME", "--at", "yesterday")


def test_the_views_count_what_is_stored(run: Run) -> None:
    def answer(query: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in run("sql", query, "--format", "json").stdout.splitlines()]

    days = answer("SELECT * FROM sentiment_by_day WHERE symbol = 'ACME' ORDER BY day")
    assert days[0] == {
        "day": "2024-03-31T00:00:00+00:00",
        "symbol": "ACME",
        "topic": "sales",
        "posts": 2,
        "negative": 1,
        "neutral": 0,
        "positive": 1,
        "mean_score": pytest.approx((-0.6 + 0.75) / 2),
        "distinct_authors": 2,
        "distinct_texts": 1,
        "in_text": 2,
        "distinct_stories": 1,
        "spam": 0,
    }
    assert len(days) == 2
    assert len(answer("SELECT * FROM sentiment_by_hour WHERE symbol = 'ACME'")) == 3
    assert len(answer("SELECT * FROM sentiment_by_minute")) == 4
    assert [row["in_text"] for row in answer("SELECT in_text FROM negative_posts")] == [True]

    topics = answer("SELECT * FROM topics_by_day ORDER BY day")
    assert topics[0] == {
        "day": "2024-03-31T00:00:00+00:00",
        "topic": "sales",
        "posts": 2,
        "negative": 1,
        "neutral": 0,
        "positive": 1,
        "mean_score": pytest.approx((-0.6 + 0.75) / 2),
        "distinct_authors": 2,
        "distinct_texts": 1,
        "distinct_stories": 1,
        "spam": 0,
    }
    assert len(topics) == 2
    assert len(answer("SELECT * FROM topics_by_hour")) == 3
    assert len(answer("SELECT * FROM topics_by_minute")) == 3


def test_a_post_without_a_topic_is_in_no_view_of_topics(run: Run, engine: Engine) -> None:
    PostStore(engine).save([scored("9", topics={}, published_at=NOON + timedelta(days=2))], [])

    assert run("sql", "SELECT topic, posts FROM topics_by_day", "--format", "csv").stdout.split()[1:] == [
        "sales,2",
        "sales,1",
    ]


def test_every_example_of_the_documentation_runs(run: Run, engine: Engine) -> None:
    examples = re.findall(r"```sql\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)

    assert len(examples) >= 5
    for example in examples:
        run("sql", example)
    with engine.connect() as connection:
        views = inspect(connection).get_view_names()
    for view in (*views, "stories_of(", "stories_between("):
        assert any(view in example for example in examples), view


def test_what_the_documentation_says_of_dropping_a_month_leaves_nothing_of_it(run: Run, engine: Engine) -> None:
    at = datetime(2015, 10, 31, 23, 59, tzinfo=UTC)
    shadow = ShadowStore(engine)
    for name, published_at in (("old", at), ("kept", at + timedelta(minutes=2))):
        PostStore(engine).save([scored(name, published_at=published_at)], [])
        shadow.save("new@2", [ShadowScore(f"test:{name}", published_at, WHOLE, CALM)])
        FeedbackStore(engine).save([Correction(f"test:{name}", WHOLE, "ann", "negative", "ACME fell", "f")])

    drop, labels = re.findall(r"```\n((?:DROP|DELETE) .*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    with engine.begin() as connection:
        connection.exec_driver_sql(labels)
        connection.exec_driver_sql(drop)

    for column in ("posts.id", "mentions.post_id", "post_ids.id", "shadow_scores.post_id", "labels.post_id"):
        query = f"SELECT {column} FROM {column.split('.')[0]}"
        with engine.connect() as connection:
            found = set(connection.exec_driver_sql(query).scalars())
        assert "test:kept" in found, column
        assert "test:old" not in found, column


def test_windows_are_rebuilt_and_shown(run: Run, redis_url: str) -> None:
    assert "3 posts" in run("rebuild-windows").stdout
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    assert "3 posts" in run("rebuild-windows").stdout

    shown = run("windows", "$acme", "--at", "2024-03-31T13:30").stdout.splitlines()
    assert shown[0] == "ACME up to 2024-03-31 13:30 UTC"
    assert shown[1].split()[:4] == ["window", "posts", "stories", "negative"]
    assert [line.split()[:4] for line in shown[2:]] == [
        ["1m", "0", "0", "0"],
        ["5m", "0", "0", "0"],
        ["15m", "0", "0", "0"],
        ["1h", "1", "1", "0"],
        ["24h", "2", "1", "1"],
    ]

    newest = [json.loads(line) for line in run("windows", "ACME", "--json").stdout.splitlines()]
    assert [window["posts"] for window in newest] == [1, 1, 1, 1, 2]
    assert [window["distinct_stories"] for window in newest] == [1, 1, 1, 1, 1]
    assert newest[0]["end"] == "2024-04-01T12:01:00Z"
    assert run("windows", "ZETA", "--json").stdout.count("\n") == 5


def test_windows_show_a_mean_weighed_by_followers_to_who_asks_for_it(run: Run, engine: Engine) -> None:
    star = scored("star", symbols=("STAR",), sentiment=BAD, followers=999)
    PostStore(engine).save([star, scored("fan", symbols=("STAR",), sentiment=GOOD, followers=None)], [])
    run("rebuild-windows")

    plain = run("windows", "STAR").stdout.splitlines()
    weighted = run("windows", "STAR", "--weighted").stdout.splitlines()
    assert plain[-1].split() == ["24h", "2", "1", "1", "0", "1", "+0.07", "1"]
    assert weighted[-1].split() == ["24h", "2", "1", "1", "0", "1", "+0.07", "-0.33", "1"]
    assert "weighted" not in plain[1]
    assert "weighted" in weighted[1]

    [*_, day] = map(json.loads, run("windows", "STAR", "--weighted", "--json").stdout.splitlines())
    assert day["weighted_score"] == pytest.approx((4 * -0.6 + 0.75) / 5)
    assert "weighted_score" not in run("windows", "STAR", "--json").stdout


def test_windows_of_a_topic_are_shown_by_its_name_or_a_part_of_it(run: Run) -> None:
    run("rebuild-windows")

    for named in (["--topic", "sales"], ["--topic", "ALE"], ["#sales"]):
        shown = run("windows", *named, "--at", "2024-03-31T13:30").stdout.splitlines()
        assert shown[0] == "sales up to 2024-03-31 13:30 UTC"
        assert shown[-1].split()[:6] == ["24h", "2", "1", "1", "0", "1"]

    newest = [json.loads(line) for line in run("windows", "--topic", "sales", "--json").stdout.splitlines()]
    assert newest[0]["end"] == "2024-04-01T12:01:00Z"
    assert (newest[0]["topic"], newest[0]["posts"], "symbol" in newest[0]) == ("sales", 1, False)
    assert run("windows", "--topic", "ipo").stdout.splitlines()[-1].split()[:2] == ["24h", "0"]


def test_windows_of_nothing_in_particular_are_those_of_the_market_and_its_topics(run: Run, engine: Engine) -> None:
    PostStore(engine).save([scored("7", topics={"M&A | Investments": 0.9}, published_at=NOON + timedelta(hours=1))], [])
    run("rebuild-windows")

    shown = run("windows", "--at", "2024-03-31T13:30").stdout.splitlines()
    assert shown[0] == "24h up to 2024-03-31 13:30 UTC"
    assert [" ".join(line.split()[:-5]) for line in shown[2:]] == ["* 3 1", "sales 2 1", "M&A | Investments 1 1"]

    found = [json.loads(line) for line in run("windows", "--json").stdout.splitlines()]
    assert [(one.get("symbol"), one.get("topic"), one["posts"]) for one in found] == [
        ("*", None, 3),
        (None, "sales", 2),
        (None, "M&A | Investments", 1),
    ]


def test_windows_of_what_cannot_be_meant_are_refused_in_one_line(run: Run) -> None:
    for arguments, words in [
        (["ACME", "--topic", "sales"], "one of the two"),
        (["--topic", "weather"], "'weather' is no topic; it must be one of Analyst Update, .* sales"),
        (["--topic", "stock"], "'stock' is several topics: Stock Commentary, Stock Movement$"),
    ]:
        run("rebuild-windows")
        with pytest.raises(Misconfigured, match=words):
            run("windows", *arguments)


def test_windows_of_an_empty_redis_are_said_to_be_none(run: Run, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE posts, mentions, post_ids"))
    run("rebuild-windows")

    for arguments in ([], ["ACME"], ["--topic", "ipo"]):
        assert "no windows: nothing was stored" in run("windows", *arguments).stderr


def test_migrating_twice_does_no_harm(run: Run) -> None:
    assert run("migrate").stdout == run("migrate").stdout


def test_a_database_away_is_told_in_one_line() -> None:
    app = typer.Typer()
    register(app)
    away = _runner(app, {"BEAROMETER_POSTGRES__URL": "postgresql://a:hush@127.0.0.1:1/x"})

    for command in (["sql", "SELECT 1"], ["migrate"], ["rebuild-windows"]):
        with pytest.raises(Unavailable) as caught:
            away(*command)
        assert "hush" not in str(caught.value)


def test_nothing_is_kept_open_after_a_query(run: Run, engine: Engine, wait_until: WaitUntil) -> None:
    run("sql", "SELECT 1")

    def alone() -> bool:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with engine.connect() as connection:
            return bool(connection.execute(text(others)).scalar_one() == 0)

    wait_until(alone, what="no session is left")


def test_a_late_month_is_found_by_its_view(run: Run, engine: Engine) -> None:
    late = scored("9", published_at=datetime(2015, 10, 14, 15, 0, tzinfo=UTC))
    PostStore(engine).save([replace(late, model="other")], [])

    output = run("sql", "SELECT model FROM negative_posts WHERE published_at < '2016-01-01'", "--format", "json")

    assert json.loads(output.stdout) == {"model": "other"}
