"""Versions of a transaction: what is a duplicate, what supersedes what, and that no order of anything matters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.transforms.cleaning import Verdict, clean
from etl_assets.transforms.identity import joined
from etl_assets_tests.raw_rows import DAY, cleaned, delivery
from etl_assets_tests.specs import minimal_spec

SPEC = minimal_spec(duplicate_horizon_days=3)
WITHOUT_ID = minimal_spec(duplicate_horizon_days=3, columns={"transaction_id": None}, labels={"source": "fraud"})
V1, V2 = {"amount": "-1.00"}, {"amount": "-2.00"}


def later(days: int) -> date:
    return DAY + timedelta(days=days)


def fate(verdict: Verdict) -> dict[str, Any]:
    """Delivery:line of every row -> published, or the disposition and the row it points at."""
    found = {f"{r['_delivery_id'][:2]}:{r['_row_number']}": "published" for r in verdict.published.to_pylist()}
    for r in verdict.quarantined.to_pylist():
        other = f"{r['repeats_delivery_id'][:2]}:{r['repeats_row_number']}" if r["repeats_delivery_id"] else ""
        found[f"{r['_delivery_id'][:2]}:{r['_row_number']}"] = f"{r['disposition']} {other}".strip()
    return found


def test_an_identical_file_delivered_again_is_all_duplicates() -> None:
    rows = ({"transaction_id": "T1"}, {"transaction_id": "T2"})
    verdict = cleaned(SPEC, delivery(SPEC, *rows, name="d2", hour=2), delivery(SPEC, *rows, hour=1))
    assert fate(verdict) == {
        "d1:2": "published",
        "d1:3": "published",
        "d2:2": "duplicate d1:2",
        "d2:3": "duplicate d1:3",
    }


def test_other_spelling_of_the_same_values_is_a_duplicate() -> None:
    verdict = cleaned(SPEC, delivery(SPEC, V1, {"amount": "-01.0", "account_id": "A1 "}))
    assert fate(verdict) == {"d1:2": "published", "d1:3": "duplicate d1:2"}


def test_a_correction_of_the_same_day_supersedes() -> None:
    verdict = cleaned(SPEC, delivery(SPEC, V1, hour=1), delivery(SPEC, V2, name="d2", hour=2))
    assert fate(verdict) == {"d1:2": "superseded d2:2", "d2:2": "published"}


def test_a_correction_two_days_later_moves_the_row_to_the_later_day() -> None:
    deliveries = delivery(SPEC, V1), delivery(SPEC, V2, on=later(2), name="d2")
    assert fate(cleaned(SPEC, *deliveries)) == {"d1:2": "superseded d2:2"}
    assert fate(cleaned(SPEC, *deliveries, on=later(1))) == {}
    assert fate(cleaned(SPEC, *deliveries, on=later(2))) == {"d2:2": "published"}


def test_a_repetition_beyond_the_horizon_is_a_row_of_its_own() -> None:
    deliveries = delivery(SPEC, V1), delivery(SPEC, V1, on=later(4), name="d2")
    assert fate(cleaned(SPEC, *deliveries, until=later(4))) == {"d1:2": "published", "d2:2": "published"}


def test_a_value_that_comes_back_is_a_new_version_and_its_repetitions_are_duplicates_of_it() -> None:
    verdict = cleaned(SPEC, delivery(SPEC, V1, V1, V2, V1, V1))
    assert fate(verdict) == {
        "d1:2": "superseded d1:4",
        "d1:3": "duplicate d1:2",
        "d1:4": "superseded d1:5",
        "d1:5": "published",
        "d1:6": "duplicate d1:5",
    }


def test_a_changed_label_alone_supersedes() -> None:
    spec = minimal_spec(labels={"source": "fraud"})
    verdict = cleaned(spec, delivery(spec, {"fraud": None}, {"fraud": "1"}))
    assert verdict.published["is_fraud"].to_pylist() == [True]
    assert fate(verdict) == {"d1:2": "superseded d1:3", "d1:3": "published"}


def test_an_invalid_version_supersedes_nothing() -> None:
    verdict = cleaned(SPEC, delivery(SPEC, V1, {"amount": "?"}))
    assert fate(verdict) == {"d1:2": "published", "d1:3": "invalid"}


def test_the_same_id_of_two_accounts_is_two_transactions_where_the_key_says_so() -> None:
    spec = minimal_spec(key=["account_id", "transaction_id"])
    verdict = cleaned(spec, delivery(spec, {"account_id": "A1"}, {"account_id": "A2"}))
    assert fate(verdict) == {"d1:2": "published", "d1:3": "published"}


def test_the_same_fare_paid_twice_stays_two_rows_without_an_id() -> None:
    first, again = delivery(WITHOUT_ID, V1, V1, V2), delivery(WITHOUT_ID, V2, V1, V1, V1, name="d2", on=later(1))
    verdict = cleaned(WITHOUT_ID, first, again, until=later(1))
    assert fate(verdict) == {
        "d1:2": "published",
        "d1:3": "published",
        "d1:4": "published",
        "d2:2": "duplicate d1:4",
        "d2:3": "duplicate d1:2",
        "d2:4": "duplicate d1:3",
        "d2:5": "published",
    }
    one, two = verdict.published["transaction_id"].to_pylist()[:2]
    assert (one[:32], one[32:], two[32:]) == (two[:32], "-1", "-2")


def test_a_file_without_ids_delivered_again_on_the_same_day_is_all_duplicates() -> None:
    verdict = cleaned(WITHOUT_ID, delivery(WITHOUT_ID, V1, V1), delivery(WITHOUT_ID, V1, V1, name="d2", hour=1))
    assert verdict.published["_delivery_id"].unique().to_pylist() == [f"d1@{DAY}"]
    assert verdict.published.num_rows == 2


def test_an_id_made_from_content_does_not_change_with_the_release() -> None:
    (found,) = cleaned(WITHOUT_ID, delivery(WITHOUT_ID, V1)).published["transaction_id"].to_pylist()
    assert found == "6ddd652308373f60649321334afd2120-1"


def test_a_label_that_arrives_later_meets_its_row_without_an_id() -> None:
    labelled = delivery(WITHOUT_ID, {"fraud": "1"}, name="d2", on=later(1))
    verdict = cleaned(WITHOUT_ID, delivery(WITHOUT_ID, {"fraud": ""}), labelled, until=later(1))
    assert fate(verdict) == {"d1:2": "superseded d2:2", "d2:2": "published"}


def test_a_declared_key_identifies_rows_whose_ids_are_made_from_content() -> None:
    spec = minimal_spec(columns={"transaction_id": None}, pass_through=["reference"], key=["reference"])
    verdict = cleaned(spec, delivery(spec, *({"reference": "R1", **row} for row in (V1, V1, V2))))
    assert fate(verdict) == {"d1:2": "superseded d1:4", "d1:3": "duplicate d1:2", "d1:4": "published"}


@given(st.lists(st.tuples(*[st.sampled_from([None, "", "a", "aa", "\x01"])] * 3), min_size=2, max_size=2))
def test_joined_values_are_equal_exactly_when_the_rows_are(rows: list[tuple[str | None, ...]]) -> None:
    one, two = joined([pa.array(column, pa.string()) for column in zip(*rows, strict=True)]).to_pylist()
    assert (one == two) == (rows[0] == rows[1])


ROW = st.fixed_dictionaries(
    {
        "transaction_id": st.sampled_from(["T1", "T2", "", " T1"]),
        "account_id": st.sampled_from(["A1", "A2", None]),
        "amount": st.sampled_from(["1.00", "1.0", "2.00", "x"]),
    }
)
DELIVERY = st.tuples(st.integers(0, 8), st.integers(0, 2), st.lists(ROW, min_size=1, max_size=4))
SPECS = (
    minimal_spec(duplicate_horizon_days=2, max_lateness_days=30),
    minimal_spec(duplicate_horizon_days=3, max_lateness_days=30, key=["account_id", "transaction_id"]),
    minimal_spec(duplicate_horizon_days=1, max_lateness_days=30, columns={"transaction_id": None}),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[InstitutionSpec, pa.Table]:
    spec = draw(st.sampled_from(SPECS))
    drawn = enumerate(draw(st.lists(DELIVERY, min_size=1, max_size=6)))
    tables = [delivery(spec, *rows, on=later(day), hour=hour, name=f"d{n}") for n, (day, hour, rows) in drawn]
    return spec, pa.concat_tables(tables)


def near(raw: pa.Table, first: date, last: date, spec: InstitutionSpec) -> pa.Table:
    h = timedelta(days=spec.duplicate_horizon_days)
    return raw.filter((pc.field("business_date") >= first - h) & (pc.field("business_date") <= last + h))


@settings(max_examples=150, deadline=None)
@given(histories(), st.integers(0, 4), st.integers(4, 8), st.randoms(use_true_random=False))
def test_a_range_equals_its_days_and_no_order_matters(
    history: tuple[InstitutionSpec, pa.Table], start: int, end: int, chance: Any
) -> None:
    spec, raw = history
    first, last = later(start), later(end)
    whole = clean(near(raw, first, last, spec), spec, first, last)
    shuffled = raw.take(pa.array(chance.sample(range(raw.num_rows), raw.num_rows)))
    days = [first + timedelta(days=n) for n in range(end - start + 1)]
    single = [clean(near(shuffled, day, day, spec), spec, day, day) for day in days]
    assert whole.published == pa.concat_tables([one.published for one in single])
    assert whole.quarantined == pa.concat_tables([one.quarantined for one in single])


@settings(max_examples=150, deadline=None)
@given(histories())
def test_every_row_ends_in_exactly_one_place_and_versions_are_those_of_the_walk(
    history: tuple[InstitutionSpec, pa.Table],
) -> None:
    spec, raw = history
    verdict = clean(raw, spec, later(0), later(8))
    assert fate(verdict).keys() == {
        f"{d[:2]}:{n}" for d, n in zip(raw["_delivery_id"].to_pylist(), raw["_row_number"].to_pylist(), strict=True)
    }
    assert verdict.published.num_rows + verdict.quarantined.num_rows == raw.num_rows
    if spec.columns.transaction_id is not None:
        assert fate(verdict) == dict(walked(spec, raw))


def walked(spec: InstitutionSpec, raw: pa.Table) -> Iterator[tuple[str, str]]:
    """The rules of versions as a person would apply them, row by row."""
    order = ("business_date", "_delivered_at", "_file", "_delivery_id", "_row_number")
    rows = sorted(raw.to_pylist(), key=lambda r: tuple(r[name] for name in order))
    for row in rows:
        row["name"] = f"{row['_delivery_id'][:2]}:{row['_row_number']}"
        row["key"] = tuple((row[name] or "").strip() for name in spec.identity)
        row["content"] = (row["account_id"], row["amount"].rstrip("0"))
    valid = [row for row in rows if all(row["key"]) and row["amount"] != "x"]
    for row in rows:
        near_it = [
            other
            for other in valid
            if other["key"] == row["key"]
            and abs(other["business_date"] - row["business_date"]).days <= spec.duplicate_horizon_days
        ]
        yield row["name"], walk(near_it).get(row["name"], "invalid")


def walk(versions: list[dict[str, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    in_force: dict[str, Any] | None = None
    for row in versions:
        if in_force and in_force["content"] == row["content"]:
            found[row["name"]] = f"duplicate {in_force['name']}"
            continue
        if in_force:
            found[in_force["name"]] = f"superseded {row['name']}"
        found[row["name"]], in_force = "published", row
    return found
