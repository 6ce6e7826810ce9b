"""Nobody's number is left: Sparkov's customers through the whole chain, then all that was written is searched."""

from __future__ import annotations

import base64
import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from psycopg import sql

from etl_assets.sources.tokens import VARIABLE, keys_of
from etl_assets_tests.bank import Platform
from etl_assets_tests.conftest import empty_database
from etl_assets_tests.specs import minimal_spec

DECEMBER, JANUARY = date(2019, 12, 31), date(2020, 1, 31)
SPARKOV = {
    "institution": "sparkov",
    "start_date": "2019-12-01",
    "time_zone": "America/New_York",
    "max_lateness_days": 31,
    "columns": {
        "transaction_id": {"source": "trans_num"},
        "account_id": {"source": "cc_num"},
        "counterparty_id": {"source": "merchant"},
        "event_at": {"source": "trans_date", "followed_by": ["trans_time"]},
        "amount": {"source": "amt", "sign": "positive_leaves"},
        "currency": {"fixed": "USD"},
        "category": {"source": "category"},
    },
    "labels": {"source": "is_fraud", "fraud_values": ["1"]},
    "personal_data": {
        "tokens": ["cc_num", "acct_num"],
        "dropped": ["ssn", "first", "last", "street", "dob", "lat", "long"],
        "undeclared": "keep",
    },
    "training": {"weeks": 4, "min_rows": 10_000, "min_days": 7},
    "batch_rules": {"max_quarantined_share": 0.5},
}


class Traffic:
    """Transactions of one month, each by another customer, and everything in them that is a person's."""

    def __init__(self, folder: Path) -> None:
        header, *lines = (folder / "adults_50up_female_rural_000-099.csv").read_text().splitlines()
        customers = (folder / "customers.csv").read_text().splitlines()[1:]
        self.header = header
        joined = [c.split("|") + line.split("|")[16:] for line, c in zip(lines, customers * 3, strict=False)]
        self.records = [["|".join(fields), *fields] for fields in joined]
        self.needles = {text for r in self.records for text in (r[1], r[2], r[6], r[15])}
        self.needles |= {line.split("|")[at] for line in lines for at in (0, 1, 5, 14)}

    def of_month(self, month: str) -> list[str]:
        return [line for line, *fields in self.records if fields[17].startswith(month)]


def damaged(lines: list[str]) -> list[str]:
    """Records with the same people in them that cannot be split, and some that can and are wrong."""
    closed = [
        f'"{lines[0]}',
        f"{lines[1]}|{lines[1][:11]}",
        lines[2].rpartition("|")[0],
        lines[3].replace("|", '|"', 2),
    ]
    wrong = [re.sub(r"\|(\d{4}-\d\d-\d\d)\|(\d\d:)", r"|\1|99:", lines[4]), lines[5], f"{lines[6]}\0"]
    return [*closed, *wrong]


@pytest.fixture(scope="module")
def traffic(shared_data: Path) -> Traffic:
    return Traffic(shared_data / "sparkov")


@pytest.fixture
def platform(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """On a Dagster instance that writes all it has to files, with logs of every level."""
    from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse

    monkeypatch.setenv(VARIABLE, "a secret of this test alone".center(40, "."))
    spec = minimal_spec(**SPARKOV, deliveries={"csv": {"separator": "|"}, "folder": str(tmp_path / "deliveries")})
    (tmp_path / "instance").mkdir()
    server, registry = request.getfixturevalue("server"), request.getfixturevalue("registry")
    with empty_database(server) as url, dg.DagsterInstance.local_temp(str(tmp_path / "instance")) as instance:
        yield Platform(spec, PostgresWarehouse(url=url), registry, instance)


def delivered(platform: Platform, traffic: Traffic) -> list[str]:
    """A month with damaged records, and of the next a file without a header. Returns the damaged records."""
    december = traffic.of_month("2019-12")
    bad = damaged(december)
    platform.deliver(DECEMBER, "\n".join([traffic.header, *december, *bad, ""]))
    platform.deliver(JANUARY, "\n".join([*traffic.of_month("2020-01"), ""]))
    return bad


def rows_of_postgres(url: str) -> Iterator[str]:
    """Every row of every table as text; bytes are written in hexadecimal digits."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for table in tables:
            for (row,) in connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*table))):
                yield row


def rows_of_sqlite(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            yield from map(repr, connection.execute(f'SELECT * FROM "{table}"'))


def written(platform: Platform, folder: Path) -> Iterator[str]:
    """Everything that the runs left behind, but the deliveries themselves."""
    yield from rows_of_postgres(platform.warehouse.url)
    yield from rows_of_postgres(platform.registry.tracking_uri.replace("+psycopg2", ""))
    for path in (
        p for place in (folder, Path(platform.registry.artifact_root)) for p in place.rglob("*") if p.is_file()
    ):
        yield path.read_bytes().decode("latin-1")
        if path.suffix == ".db":
            yield from rows_of_sqlite(path)


def disguises(records: Iterable[str]) -> Iterator[str]:
    """How the middle of a record looks where its bytes are told as text."""
    for record in records:
        content = record.encode()
        yield content[:30].hex()
        yield from (base64.b64encode(content[start : start + 30]).decode()[1:-3] for start in range(3))


def test_nobodys_number_is_anywhere(
    platform: Platform,
    traffic: Traffic,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    bad = delivered(platform, traffic)
    assert [run.error for run in platform.run(DECEMBER, layers=("daily", "scores"))] == [None, None]
    platform.run(JANUARY, layers=("daily",))
    printed = capfd.readouterr()
    said = [*written(platform, tmp_path / "instance"), caplog.text, printed.out, printed.err, platform.errors()]
    everything = "\n".join(said)
    seen = ("fraud_", "tok_", "(encrypted)", "ASSET_MATERIALIZATION", "STEP_FAILURE", "column 'trans_num' is missing")
    assert [word for word in seen if word not in everything] == []
    assert "a secret of this test" not in everything
    assert [needle for needle in {*traffic.needles, *disguises(bad)} if needle in everything] == []


def test_what_is_left_can_be_worked_with(platform: Platform, traffic: Traffic) -> None:
    """Every record is accounted for, cards are told apart, and who has the key reads a damaged record."""
    bad = delivered(platform, traffic)
    platform.run(DECEMBER, layers=("daily",))
    (account,) = platform.table("row_account", ("published", "invalid", "duplicate", "records_read", "control_lines"))
    december = traffic.of_month("2019-12")
    assert account["published"] == len(december)
    assert account["invalid"] + account["duplicate"] == len(bad)
    cards = {line.split("|")[1] for line in december}
    tokens = {row["account_id"] for row in platform.table("cleaned_transactions", ("account_id",))}
    assert len(tokens) == len(cards)
    assert all(token.startswith("tok_") for token in map(str, tokens))
    records = [r["_record"] for r in platform.table("raw_transactions", ("_record",)) if r["_record"] is not None]
    revealed = {keys_of("sparkov").revealed(bytes(record)).decode() for record in records}  # type: ignore[call-overload]
    assert revealed < {*bad}
    shown = [r["record"] for r in platform.table("quarantined_transactions", ("record",))]
    assert shown.count("(encrypted)") == len(records) > 3
