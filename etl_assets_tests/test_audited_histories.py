"""Any history of deliveries and runs ends in the tables of a bank that got everything at once, to the row.

What the platform says of itself is not believed here: files are read by Python's csv module, rows are counted by SQL
of this file, and what became of each row is found by comparing it with every other.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from etl_assets.audit import PROMISES, Promise, violations
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets_tests.audited_rows import HORIZON_DAYS, LATENESS_DAYS, Version, fates
from etl_assets_tests.bank import HEADER, Platform, line
from etl_assets_tests.conftest import fresh_platform
from etl_assets_tests.nightly import Nightly

MONDAY = date(2026, 3, 2)
DAYS = [MONDAY + timedelta(days=n) for n in range(4)]
BANK = {
    "duplicate_horizon_days": HORIZON_DAYS,
    "max_lateness_days": LATENESS_DAYS,
    "batch_rules": {"max_quarantined_share": 1.0},
    "deliveries": {
        "csv": {"separator": ";"},
        "file_name": r"transactions_(?P<business_date>\d{8}).*\.csv(\.gz)?",
    },
}
JUNK = b"no header at all\n"
TABLES = {
    "raw_transactions": ("business_date", "_delivered_at", "_row_number"),
    "cleaned_transactions": ("business_date", "transaction_id"),
    "quarantined_transactions": ("business_date", "delivery", "_row_number"),
    "row_account": ("business_date", "delivery"),
    "featured_transactions": ("business_date", "transaction_id"),
}
NAMED_BY_PATH = {"_delivery_id", "repeats_delivery_id", "file", "_file"}


@dataclass
class History:
    """What a test does to a bank, and what that bank must know of it in the end."""

    platform: Platform
    folder: dict[str, Version] = field(default_factory=dict)
    taken: dict[tuple[str, bytes], Version] = field(default_factory=dict)
    minutes: Iterator[int] = field(default_factory=count)

    def put(self, name: str, day: date, content: bytes) -> None:
        at = datetime(2026, 3, 9, tzinfo=UTC) + timedelta(minutes=next(self.minutes))
        self.folder[name] = Version(name, day, content, at)
        write(self.platform, self.folder[name])

    def drop(self, name: str) -> None:
        del self.folder[name]
        (self.platform.spec.folder / name).unlink()

    def run(self, first: date, last: date) -> None:
        """A date with a file that is none keeps the rows that it has; of the others every file is taken."""
        self.platform.run(first, last, layers=("daily",))
        refused = {file.day for file in self.folder.values() if file.content == JUNK}
        for name, file in self.folder.items():
            if first <= file.day <= last and file.day not in refused:
                self.taken[name, file.content] = file


def write(platform: Platform, file: Version) -> None:
    path = platform.spec.folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.stored)
    os.utime(path, (file.at.timestamp(), file.at.timestamp()))


@st.composite
def contents(draw: st.DrawFn, day: date) -> bytes:
    """A file of some of eight transactions, now and then twice, corrected, damaged or over two lines."""
    text = HEADER
    for number in draw(st.lists(st.integers(0, 7), max_size=6)):
        event_on = day - timedelta(days=draw(st.sampled_from([0, 0, 1, 2])))
        fields = {"card": f"c{number % 2}", "amount": draw(st.sampled_from(["-1,00", "-1,00", "-2,50", "1,2,3"]))}
        fields["shop"] = draw(st.sampled_from(["s", "s", '"s\nt"', "s;too many", '"a;b"', "\0"]))
        text += line(number, event_on, **fields) + draw(st.sampled_from(["", "", "", "\n"]))
    return (text if draw(st.booleans()) else text.rstrip("\n")).encode()


def happen(pick: Callable[[st.SearchStrategy[Any]], Any], history: History) -> None:
    """A file comes, is replaced, comes again under another name or goes; or some days run."""
    day, kind = pick(st.sampled_from(DAYS)), pick(st.sampled_from(["come"] * 4 + ["again", "go", "junk"] + ["run"] * 3))
    name = f"transactions_{day:%Y%m%d}_{pick(st.sampled_from('ab'))}.csv{pick(st.sampled_from(['', '.gz']))}"
    if kind == "come":
        history.put(name, day, pick(contents(day)))
    elif kind == "junk":
        history.put(name, day, JUNK)
    elif kind == "again" and (same := [f.content for f in history.folder.values() if f.day == day]):
        history.put(name, day, pick(st.sampled_from(same)))
    elif kind == "go" and history.folder:
        history.drop(pick(st.sampled_from(sorted(history.folder))))
    elif kind == "run":
        last = pick(st.sampled_from(DAYS))
        history.run(min(day, last), max(day, last))


def finish(data: st.DataObject, history: History) -> None:
    """What is no file goes, every day runs, in ranges in any order, and then what is stale until nothing is."""
    for name in [name for name, file in history.folder.items() if file.content == JUNK]:
        history.drop(name)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(DAYS) - 1)), label="cuts"))
    ranges = [DAYS[a:b] for a, b in zip([0, *cuts], [*cuts, len(DAYS)], strict=True)]
    for days in data.draw(st.permutations(ranges), label="last runs"):
        history.run(days[0], days[-1])
    Nightly(history.platform).settle()


def labels(platform: Platform) -> dict[str, str]:
    """Delivery -> its content and time, which it has under any name."""
    rows = platform.table("deliveries", ("_delivery_id", "content_sha256", "delivered_at"))
    return {str(row["_delivery_id"]): f"{row['delivered_at']} {row['content_sha256']}" for row in rows}


def shown(platform: Platform, table: str) -> pl.DataFrame:
    """A table without what depends on the names of files."""
    rows, known = pl.DataFrame(platform.arrow(table, "1")), labels(platform)
    for column in {"_delivery_id", "repeats_delivery_id"} & set(rows.columns):
        named = "delivery" if column == "_delivery_id" else "repeats"
        rows = rows.with_columns(pl.col(column).replace(known).alias(named))
    if table == "row_account":
        rows = rows.filter(pl.col("records_read") > 0)  # of a file that is none, only this bank knows
    return rows.drop(NAMED_BY_PATH & set(rows.columns)).sort(TABLES[table])


def counted(platform: Platform) -> dict[str, dict[str, int]]:
    """Delivery -> rows by what became of them, counted in the tables."""
    at = {name: qualified(platform.spec.institution, name) for name in TABLES}
    found = platform.warehouse.fetch(
        f"SELECT _delivery_id, 'published' AS fate, count(*) AS n FROM {at['cleaned_transactions']} GROUP BY 1 "
        f"UNION ALL SELECT _delivery_id, disposition, count(*) FROM {at['quarantined_transactions']} GROUP BY 1, 2 "
        f"UNION ALL SELECT _delivery_id, 'raw', count(*) FROM {at['raw_transactions']} GROUP BY 1"
    )
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in found.to_pylist():
        counts[row["_delivery_id"]][row["fate"]] = row["n"]
    return counts


def audit(history: History) -> None:
    """Each delivery's records are all in the tables, each once, and are what they are beside the others."""
    platform, files = history.platform, list(history.taken.values())
    published, expected = fates(files)
    rows = platform.table("cleaned_transactions", ("business_date", "transaction_id", "amount"))
    assert {(r["business_date"], r["transaction_id"], Decimal(str(r["amount"]))) for r in rows} == published
    assert len(rows) == len(published)
    counts, by_label = counted(platform), {file.label: file for file in files}
    known = platform.table("deliveries", ("_delivery_id", "delivered_at", "content_sha256", "records_read", "problem"))
    accounted = {row["_delivery_id"]: row for row in platform.table("row_account")}
    assert len([row for row in known if row["problem"] is None]) == len(files)
    for row in known:
        found = counts.get(str(row["_delivery_id"]), {})
        if row["problem"] is not None:
            assert (row["records_read"], found) == (0, {})
            continue
        file = by_label[f"{row['delivered_at']} {row['content_sha256']}"]
        said = {fate: n for (of, fate), n in expected.items() if of is file}
        records = sum(map(bool, file.lines)) - 1
        assert found == (said | {"raw": records} if records else {})
        assert row["records_read"] == len(file.lines)
        account = accounted[row["_delivery_id"]]
        assert {fate: account[fate] for fate in said} == said
        assert account["records_read"] == len(file.lines)


def at_once(history: History, platform: Platform) -> None:
    """A bank that has got all of it before its one run: what was replaced or is gone, under names of its own."""
    for number, file in enumerate(history.taken.values()):
        stem, dot, rest = file.name.partition(".csv")
        write(platform, replace(file, name=f"{stem}_{number}{dot}{rest}"))
    platform.run(DAYS[0], DAYS[-1], layers=("daily",))


@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_every_history_ends_in_the_tables_of_a_bank_that_got_everything_at_once(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folders = (tmp_path_factory.mktemp(name) / "deliveries" for name in ("history", "once"))
    with fresh_platform(request, next(folders), **BANK) as bank, fresh_platform(request, next(folders), **BANK) as once:
        history = History(bank)
        for _ in range(data.draw(st.integers(6, 12), label="events")):
            happen(data.draw, history)
        finish(data, history)
        audit(history)
        asked = [promise for promise in PROMISES if promise.table in TABLES and not promise.is_warning]
        assert [promise.name for promise in asked if not kept(bank, promise)] == []
        at_once(history, once)
        for table in TABLES:
            found, expected = shown(bank, table), shown(once, table)
            assert found.equals(expected), f"{table}\n{found}\n{expected}"


def kept(platform: Platform, promise: Promise) -> bool:
    """Whether no day breaks the promise."""
    return not any(violations(platform.warehouse, platform.spec, promise, DAYS).values())
