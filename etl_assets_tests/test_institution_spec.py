"""A wrong tenant file is refused when it is loaded, in words that say where, what was found and what was expected."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from etl_assets.institution_spec import FolderUnset, InstitutionSpec, load_spec
from etl_assets.tables import RAW_LINEAGE, cleaned_table
from etl_assets_tests.spec_files import REMOVED, changed, refusal
from etl_assets_tests.specs import MINIMAL, minimal_spec


def rule(**fields: Any) -> list[dict[str, Any]]:
    return [{"name": "amount_is_plausible", "column": "amount", **fields}]


BACKWARDS = {"source": "event_at", "formats": ["%d.%m. %H:%M"]}
MISTAKES = [
    # what is set, to what, where it is reported, what is said
    ("colums", {}, "colums", "unknown field; did you mean `columns`?"),
    ("deliveries.csv", {"seperator": ";"}, "deliveries.csv.seperator", "unknown field; did you mean `separator`?"),
    ("labels", {"source": "fraud", "delay": 3}, "labels.delay", "unknown field; expected one of source, alia"),
    ("row_rules", rule(min=0), "row_rules.0.min", "unknown field; did you mean `minimum`?"),
    ("time_zone", REMOVED, "time_zone", "expected a value; it is missing"),
    ("columns.amount", REMOVED, "columns.amount", "expected a value; it is missing"),
    ("columns.amount", "Betrag", "columns.amount", "expected fields of its own; found 'Betrag'"),
    ("institution", "My Bank", "institution", "expected text that matches ^[a-z][a-z0-9_]{0,47}$; found 'My Bank'"),
    ("start_date", "2026-02-30", "start_date", "day value is outside expected range; found '2026-02-30'"),
    ("time_zone", "Europe/Berln", "time_zone", "such as Europe/Berlin; found 'Europe/Berln'"),
    ("time_zone", "CEST+1", "time_zone", "expected an IANA time zone such as "),
    ("owners", ["team:a", "Jane Doe"], "owners.1", "expected an e-mail address or team:NAME; found 'Jane Doe'"),
    ("owners", [], "owners", "at least 1 item"),
    ("max_lateness_days", -1, "max_lateness_days", "expected greater than or equal to 0; found -1"),
    ("batch_rules", {"max_quarantined_share": 5}, "batch_rules.max_quarantined_share", "equal to 1; found 5"),
    ("event_precision", "minute", "event_precision", "expected 'second' or 'day'; found 'minute'"),
    ("deliveries.file_name", "day_(?P<business_date", "deliveries.file_name", "expected a regular expression: "),
    ("deliveries.file_name", r"day_(\d{8})\.csv", "deliveries.file_name", "expected a group (?P<business_date>...)"),
    (
        "deliveries.file_name",
        r"d_(?P<business_date>[\d-]{10})",
        "deliveries.file_name",
        "takes what .* writes, such as '20240101'",
    ),
    ("deliveries.file_name", r"d_(?P<business_date>\d{4}(-|_)\d{4})", "deliveries.file_name", "such as '20240101'"),
    ("deliveries.business_date_format", "%m%d", "deliveries.business_date_format", "expected year, month and day"),
    ("deliveries.business_date_format", "%Y%m%Q", "deliveries.business_date_format", "'Q' is a bad directive"),
    ("deliveries.folder", "${ETL DELIVERIES}/x", "deliveries.folder", "variables as in ${ETL_DELIVERIES}/bank"),
    ("deliveries.folder", "", "deliveries.folder", "at least 1 character; found ''"),
    ("deliveries.format", "xlsx", "deliveries.format", "expected .*'csv'.*; found 'xlsx'"),
    ("deliveries.csv", {"encoding": "utf-9"}, "deliveries.csv.encoding", "no such text encoding.*; found 'utf-9'"),
    ("deliveries.csv", {"encoding": "rot13"}, "deliveries.csv.encoding", "no such text encoding.*; found 'rot13'"),
    ("deliveries.csv", {"separator": ";;"}, "deliveries.csv.separator", "at most 1 character; found ';;'"),
    ("deliveries.csv", {"separator": "§"}, "deliveries.csv.separator", "one ASCII character that is no line end"),
    ("deliveries.csv", {"separator": "|", "quote": "|"}, "deliveries.csv", "separator and quote are both '|'"),
    ("columns.amount.thousands_mark", ".", "columns.amount", "decimal_mark and thousands_mark are both '.'"),
    ("columns.event_at", BACKWARDS, "columns.event_at.formats.0", "reads that as 1900-11-23 13:47"),
    ("columns.event_at.formats", ["%d.%m.%Y %I:%M"], "columns.event_at.formats.0", "%p beside %I"),
    ("columns.event_at.formats", ["%d.%m.%Y %"], "columns.event_at.formats.0", "expected a strptime pattern: stray %"),
    ("columns.event_at.formats", [], "columns.event_at.formats", "at least 1 item"),
    ("columns.event_at.formats", ["%d.%m.%Y"], "event_precision", "expected day: .* have no time of day"),
    (
        "columns.booked_on",
        {"source": "b", "formats": ["%Y"]},
        "columns.booked_on.formats.0",
        "reads that as 2027-01-01",
    ),
    ("columns.currency.source", "cur", "columns.currency", "exactly one of .*; found 'EUR' and 'cur'"),
    ("columns.currency.fixed", None, "columns.currency", "exactly one of .*; found None and None"),
    ("columns.currency.aliases", ["cur"], "columns.currency", "a fixed currency has none"),
    ("columns.currency.fixed", "Euro", "columns.currency.fixed", "expected text that matches ^[A-Z]{3}$; found 'Euro'"),
    ("columns.country", {"source": 1}, "columns.country.source", "expected text; found 1: put it in quotes"),
    ("columns.country", {"source": ""}, "columns.country.source", "at least 1 character"),
    ("columns.country", {"source": "_file"}, "columns.country.source", "put this one under aliases; found '_file'"),
    ("columns.country", {"source": "ä" * 32}, "columns.country.source", "expected at most 63 bytes"),
    ("columns.country", {"source": "amount"}, "columns.country", "columns.amount does not read; found 'amount'"),
    (
        "columns.country",
        {"source": "c", "aliases": ["amount"]},
        "columns.country",
        "columns.amount does not read; found 'amount'",
    ),
    (
        "columns.country",
        {"source": "c", "aliases": ["c"]},
        "columns.country",
        "a source that columns.country does not read; found 'c'",
    ),
    ("labels", {"source": "amount"}, "labels", "columns.amount does not read; found 'amount'"),
    ("labels", {"source": "fraud", "fraud_values": []}, "labels.fraud_values", "at least 1 item"),
    ("labels", {"source": "fraud", "fraud_values": [1]}, "labels.fraud_values.0", "found 1: put it in quotes"),
    ("key", ["account_id", "booked_on"], "key.1", "expected a column that `columns` maps: .*; found 'booked_on'"),
    ("key", ["account_id", "account_id"], "key.1", "expected each name once; found 'account_id'"),
    ("pass_through", ["account_id"], "pass_through.0", "the platform has a column of that name.*; found 'account_id'"),
    ("pass_through", ["is_fraud"], "pass_through.0", "the platform has a column of that name.*; found 'is_fraud'"),
    ("pass_through", ["note", "note"], "pass_through.1", "a source that pass_through.0 does not read; found 'note'"),
    ("pass_through", ["No te"], "pass_through.0", "expected text that matches "),
    ("row_rules", rule(), "row_rules.0", "at least one of required: true, minimum, max"),
    ("row_rules", rule(pattern="(["), "row_rules.0.pattern", "a regular expression: .*; found '(['"),
    ("row_rules", rule(minimum=5, maximum=1), "row_rules.0", "minimum 5 is above maximum 1"),
    ("row_rules", rule(minimum=float("nan")), "row_rules.0.minimum", "expected a finite number; found nan"),
    ("row_rules", rule(allowed=[]), "row_rules.0.allowed", "at least 1 item"),
    ("row_rules", rule(allowed=["DE", False]), "row_rules.0.allowed.1", "found False: put it in quotes"),
    ("row_rules", rule(required=True, column="c"), "row_rules.0.column", "that `columns` maps: .*; found 'c'"),
    ("row_rules", rule(minimum=0) + rule(maximum=1), "row_rules.1", "once; found 'amount_is_plausible'"),
    ("alert_budget", {"share": 0}, "alert_budget.share", "expected greater than 0; found 0"),
    ("training", {"weeks": 0}, "training.weeks", "expected greater than or equal to 1; found 0"),
]


@pytest.mark.parametrize(("field", "value", "place", "said"), MISTAKES, ids=[f"{m[0]}={m[1]}"[:50] for m in MISTAKES])
def test_a_mistake_is_refused_at_its_place(tmp_path: Path, field: str, value: object, place: str, said: str) -> None:
    lines = refusal(tmp_path, changed(field, value)).splitlines()
    expected = ".*".join(re.escape(part) for part in said.split(".*"))
    assert any(re.match(rf"  {re.escape(place)}: .*{expected}", line) for line in lines), lines


def test_the_minimal_spec_that_the_mistakes_are_made_in_is_right(tmp_path: Path) -> None:
    path = tmp_path / "bank.yaml"
    path.write_text(yaml.safe_dump(MINIMAL))
    assert load_spec(path) == minimal_spec()


@pytest.mark.parametrize("name", [column.name for column in RAW_LINEAGE] + ["business_date"])
def test_a_source_with_the_name_of_a_lineage_column_is_refused_and_goes_as_an_alias(name: str) -> None:
    with pytest.raises(ValueError, match="put this one under aliases"):
        minimal_spec(columns={"country": {"source": name}})
    assert minimal_spec(columns={"country": {"source": "land", "aliases": [name]}}).declared["land"] == ("land", name)


def test_every_column_of_the_cleaned_table_is_refused_as_a_pass_through() -> None:
    for name in cleaned_table(minimal_spec()).schema.names:
        with pytest.raises(ValueError, match=r"pass_through\.0"):
            minimal_spec(pass_through=[name])


@pytest.mark.parametrize(
    ("file_name", "business_date_format"),
    [
        (r"s_(?P<business_date>\d{4}-\d{2}-\d{2})(_bis)?\.csv", "%Y-%m-%d"),
        (r"s_(?P<business_date>\d{4}(-|_)\d{2}(-|_)\d{2})\.csv", "%Y-%m_%d"),
        (r"(?P<sep>[-)])(?P<business_date>[0-9)]+?)(?P=sep)", "%Y%m%d"),
        (r"(?P<business_date>\d{6}(?:28|29|30|31))\.csv", "%Y%m%d"),
        (r"(?i)REPORT_(?P<business_date>\d{2}[A-Za-z]{3}\d{4})", "%d%b%Y"),
        (r"(?P<business_date>\d{4}W\d{2}\.\d)", "%GW%V.%u"),
        (r"(?P<day>-)(?P<business_date>\d{4}(?P=day)\d\d-\d\d)", "%Y-%m-%d"),
    ],
)
def test_file_names_of_many_kinds_are_accepted_with_their_format(file_name: str, business_date_format: str) -> None:
    deliveries = {"file_name": file_name, "business_date_format": business_date_format}
    assert minimal_spec(deliveries=deliveries).deliveries.business_date_format == business_date_format


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("transactions_20240229.csv", date(2024, 2, 29)),
        ("transactions_20240229_bis.csv", date(2024, 2, 29)),
        ("transactions_20230229.csv", None),
        ("transactions_20240229.csv.tmp", None),
        ("old_transactions_20240229.csv", None),
    ],
)
def test_the_business_date_comes_from_the_whole_name(name: str, expected: date | None) -> None:
    assert minimal_spec().deliveries.business_date(name) == expected


@pytest.mark.parametrize("value", [None, ""])
def test_a_folder_whose_variable_is_not_set_is_refused_when_it_is_used(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("ETL_DELIVERIES", raising=False)
    if value is not None:
        monkeypatch.setenv("ETL_DELIVERIES", value)
    spec = minimal_spec(deliveries={"folder": "${ETL_DELIVERIES}/bank"})
    with pytest.raises(FolderUnset, match=r"folder is '\$\{ETL_DELIVERIES\}/bank' and ETL_DELIVERIES is not set"):
        _ = spec.folder


def test_a_folder_has_the_value_of_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_DELIVERIES", "/mnt/in")
    monkeypatch.setenv("BANK", "b$1")
    folder = minimal_spec(deliveries={"folder": "$ETL_DELIVERIES/${BANK}/$$x"}).folder
    assert folder == Path("/mnt/in/b$1/$x")


def test_a_time_zone_of_the_reference_data_is_known() -> None:
    assert minimal_spec(time_zone="America/Argentina/Buenos_Aires").time_zone.endswith("Buenos_Aires")


def test_a_spec_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        minimal_spec().time_zone = "UTC"  # type: ignore[misc]


def test_declared_sources_are_in_the_order_of_columns_then_labels_then_pass_through() -> None:
    spec: InstitutionSpec = minimal_spec(
        pass_through=["note"],
        labels={"source": "fraud", "aliases": ["chargeback"]},
        columns={"currency": {"fixed": None, "source": "cur"}, "amount": {"aliases": ["sum"]}},
    )
    assert spec.declared == {
        "event_at": ("event_at",),
        "amount": ("amount", "sum"),
        "cur": ("cur",),
        "transaction_id": ("transaction_id",),
        "account_id": ("account_id",),
        "counterparty_id": ("counterparty_id",),
        "fraud": ("fraud", "chargeback"),
        "note": ("note",),
    }
