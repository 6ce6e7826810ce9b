"""Deliveries of seven institutions, as others made them, by their YAML alone into PostgreSQL: 100 % accounted for."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString, NamedTuple
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from typer.testing import CliRunner

from etl_assets.cli import app
from etl_assets.sources.tokens import VARIABLE
from etl_assets_tests.conftest import empty_database
from etl_assets_tests.third_party import INSTITUTIONS, TakenIn, files, institution, paid, rows_of, taken_in
from etl_assets_tests.third_party_accounts import APRIL, EXPECTED, WARNED, Account
from etl_assets_tests.third_party_rows import ROWS

LONDON = ZoneInfo("Europe/London")


class Place(NamedTuple):
    """A database and a Dagster instance for all institutions, each of which is taken in once."""

    url: str
    instance: dg.DagsterInstance
    data: Path
    held: dict[str, TakenIn]

    def taken(self, name: str) -> TakenIn:
        if name not in self.held:
            self.held[name] = taken_in(institution(name), files(name, self.data), self.url, self.instance)
        return self.held[name]


@pytest.fixture(scope="module")
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, shared_data: Path
) -> Iterator[Place]:
    server = request.getfixturevalue("server")
    with (
        pytest.MonkeyPatch.context() as environment,
        empty_database(server) as url,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        environment.setenv("ETL_DELIVERIES", str(tmp_path_factory.mktemp("deliveries")))
        environment.setenv(VARIABLE, "a key of these tests alone".center(40, "."))
        yield Place(url, instance, shared_data, {})


@pytest.fixture(params=EXPECTED)
def taken(request: pytest.FixtureRequest, place: Place) -> TakenIn:
    return place.taken(request.param)


def accounts(taken: TakenIn) -> dict[str, tuple[Any, ...]]:
    """The row account by file, as it stands in the database."""
    query = "SELECT path, t.records_read, published, invalid, duplicate, superseded, t.control_lines, published_amount"
    of_files = taken.ask(query + " FROM {t} t JOIN {d} d USING (_delivery_id)", table="row_account")
    return {path: tuple(rest) for path, *rest in of_files}


def checked(spec: Path, file: Path) -> tuple[int, dict[str, object]]:
    """Exit code and answer of `etl-assets check`."""
    result = CliRunner().invoke(app, ["check", str(spec), str(file), "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_every_yaml_of_the_folder_is_tested() -> None:
    assert {path.stem for path in INSTITUTIONS.iterdir()} == EXPECTED.keys() == WARNED.keys() == ROWS.keys()


def test_every_record_is_accounted_for(taken: TakenIn) -> None:
    found = accounts(taken)
    assert found == {file: e.of_the_platform for file, e in EXPECTED[taken.spec.institution].items()}
    assert all(records_read == sum(rest[:-1]) for records_read, *rest in found.values())


def test_the_cleaned_rows_are_as_many_and_sum_to_as_much_as_in_a_second_reading(taken: TakenIn) -> None:
    name = taken.spec.institution
    query = (
        "SELECT d.path, count(t), coalesce(sum(amount), 0) FROM {d} d LEFT JOIN {t} t USING (_delivery_id) GROUP BY 1"
    )
    read = {
        file: [paid(name, row) for row in rows_of(name, file, content)] for file, content in taken.delivered.items()
    }
    read |= {file: [] for file, expected in EXPECTED[name].items() if expected.duplicate}
    assert {path: tuple(rest) for path, *rest in taken.ask(query)} == {
        file: (len(amounts), sum(amounts)) for file, amounts in read.items()
    }


def test_all_promises_are_kept_and_what_is_warned_of_is_so(taken: TakenIn) -> None:
    assert taken.broken_promises() == WARNED[taken.spec.institution] == taken.failed_checks


def test_only_what_was_delivered_twice_is_in_quarantine(taken: TakenIn) -> None:
    query = "SELECT file, disposition, reasons, repeats_row_number = _row_number, count(*) FROM {t} GROUP BY 1, 2, 3, 4"
    expected = EXPECTED[taken.spec.institution].items()
    twice = [(file, "duplicate", "duplicate", True, e.duplicate) for file, e in expected if e.duplicate]
    assert taken.ask(query, table="quarantined_transactions") == twice


def test_the_ledger_knows_a_second_download(taken: TakenIn) -> None:
    expected = EXPECTED[taken.spec.institution].items()
    states = {file: "redelivered" if e.duplicate else "read" for file, e in expected}
    assert dict(taken.ask("SELECT path, state FROM {d} WHERE problem IS NULL AND NOT is_late")) == states


def test_chosen_records_are_right_in_every_column(taken: TakenIn) -> None:
    query: LiteralString = (
        "SELECT path, t.* FROM {t} t JOIN {d} d USING (_delivery_id) WHERE path = %s AND _row_number = %s"
    )
    expected = ROWS[taken.spec.institution]
    at = {place: taken.rows(query, *place) for place in expected}
    lineage = ("path", "_row_number", "_delivery_id")
    found = {place: [{k: v for k, v in row.items() if k not in lineage} for row in rows] for place, rows in at.items()}
    assert found == {place: [row] for place, row in expected.items()}


def test_check_says_the_same_before_anything_runs(taken: TakenIn) -> None:
    """But of a second download, of which it does not know the first."""
    name = taken.spec.institution
    for file, expected in EXPECTED[name].items():
        code, said = checked(INSTITUTIONS / f"{name}.yaml", taken.spec.folder / file)
        alone = expected._replace(published=expected.published + expected.duplicate, duplicate=0)
        account = said["account"]
        assert isinstance(account, dict)
        assert (code, said["problem"], said["reasons"]) == (0, None, {}), file
        assert tuple(account.values()) == alone.of_the_platform[:-1]


@pytest.mark.parametrize("taken", ["leeds"], indirect=True)
@pytest.mark.parametrize(("file", "repayments"), [("2011-01.raw.csv", 123), ("2013-12.raw.csv", 115)])
def test_leeds_is_what_others_made_of_it(taken: TakenIn, shared_data: Path, file: str, repayments: int) -> None:
    """Days and amounts of the given clean files, in which all repayments have lost their sign."""
    query = (
        f"SELECT transaction_id, event_at, amount FROM {{t}} JOIN {{d}} d USING (_delivery_id) WHERE path = '{file}'"
    )
    found = {name: (at.astimezone(LONDON).date(), amount) for name, at, amount in taken.ask(query)}
    with (shared_data / "leeds_spend" / file.replace("raw", "clean")).open(encoding="cp1252", newline="") as clean:
        _, *rows = csv.reader(clean)
    oracle = {row[8]: (date.fromisoformat(row[7]), Decimal(row[9])) for row in rows}
    assert {name: (day, abs(amount)) for name, (day, amount) in found.items()} == oracle
    assert sum(amount > 0 for _, amount in found.values()) == repayments


@pytest.mark.parametrize("taken", ["leeds"], indirect=True)
def test_the_sum_of_leeds_is_the_control_total_at_its_printed_precision(taken: TakenIn) -> None:
    *_, footer = taken.delivered["2013-12.raw.csv"].splitlines()
    printed = Decimal(footer.strip(b",").decode())
    ((total,),) = taken.ask("SELECT -sum(amount) FROM {t} WHERE business_date = '2013-12-31'")
    assert (printed, total) == (Decimal("104758470.9"), Decimal("104758470.89"))
    assert abs(printed - total) <= Decimal("0.05")


def test_a_control_total_that_differs_by_more_than_its_rounding_refuses_the_file(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "2013-12.raw.csv"
    whole = files("leeds", place.data)[file.name]
    file.write_bytes(whole.replace(b",1312-00001,472.4,", b",1312-00001,472.5,"))
    code, said = checked(INSTITUTIONS / "leeds.yaml", file)
    assert code == 1
    assert re.search(r"on line 9576 expects a total of 104758470\.9, .* to 104758470\.99", str(said["problem"]))


@pytest.mark.parametrize(("taken", "labels"), [("sparkov", (8, 1_084)), ("ibm", (27, 19_936))], indirect=["taken"])
def test_labels_are_those_of_the_file(taken: TakenIn, labels: Sequence[int]) -> None:
    assert dict(taken.ask("SELECT is_fraud, count(*) FROM {t} GROUP BY 1")) == dict(
        zip((True, False), labels, strict=True)
    )


@pytest.mark.parametrize("taken", ["ibm"], indirect=True)
def test_declined_payments_are_published_with_a_warning(taken: TakenIn) -> None:
    delivered = (row for file, content in taken.delivered.items() for row in rows_of("ibm", file, content))
    errors = Counter(row["Errors?"] or None for row in delivered)
    assert (sum(errors.values()), errors[None]) == (19_963, 19_389)
    found = taken.ask("SELECT description, warnings, count(*) FROM {t} GROUP BY 1, 2")
    assert {row[0]: row[1:] for row in found} == {
        error: (error and "payment_was_declined", count) for error, count in errors.items()
    }


def test_birminghams_month_by_its_name_alone_would_quarantine_payments_of_the_next(
    place: Place,
) -> None:
    """Why the YAML has the day of the download: run and `check` agree that 51,043.04 pounds would be missing."""
    spec = institution("birmingham").model_copy(update={"institution": "birmingham_by_month"})
    name = f"20140430_{APRIL}"
    delivered = {name: files("birmingham", place.data)[f"20140507_{APRIL}"]}
    folder = spec.deliveries.folder + "_by_month"
    spec = spec.model_copy(update={"deliveries": spec.deliveries.model_copy(update={"folder": folder})})
    taken = taken_in(spec, delivered, place.url, place.instance)
    assert accounts(taken) == {name: Account(2_567, "-475717.21", invalid=123).of_the_platform}
    assert taken.ask("SELECT reasons, count(*) FROM {t} GROUP BY 1", table="quarantined_transactions") == [
        ("event_at_is_after_business_date", 123)
    ]
    code, said = checked(INSTITUTIONS / "birmingham.yaml", spec.folder / name)
    assert (code, said["reasons"]) == (1, {"event_at_is_after_business_date": 123})
    assert said["account"] == {
        "records_read": 2_691,
        "published": 2_567,
        "invalid": 123,
        "duplicate": 0,
        "superseded": 0,
        "control_lines": 1,
    }
