"""What may be written in an expression, and that money, dates and nulls mean what they mean in SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.row_expressions import ExpressionFailed, columns_of, doubt, false_rows
from etl_assets.spec.rules import TYPES
from etl_assets.tables import cleaned_table
from etl_assets_tests.specs import minimal_spec

BERLIN = "Europe/Berlin"
COLUMNS = {name: TYPES.get(name, pa.string()) for name in ("amount", "event_at", "booked_on", "business_date", "text")}
ROW = {
    "amount": Decimal("0.1000"),
    "event_at": datetime(2024, 7, 1, 22, 30, tzinfo=UTC),
    "booked_on": date(2024, 7, 3),
    "business_date": date(2024, 7, 1),
    "text": "x",
}


def is_false(expression: str, **values: Any) -> bool:
    row = pa.table({name: pa.array([(ROW | values)[name]], kind) for name, kind in COLUMNS.items()})
    return bool(false_rows({"rule": expression}, row, BERLIN)["rule"][0].as_py())


REFUSED = {
    "amont < 0": "no column amont; expected some of amount, event_at",
    'text = "x y"': "no column x y; .* text in single quotes",
    "rows.amount > 0": "no column rows.amount",
    "current_date > booked_on": "no column current_date",
    "now() > event_at": "now is not for a rule of one row",
    "random() > 0.5 OR text = 'x'": "random is not for a rule",
    "amount = max(amount)": "max is not for a rule",
    "count(*) > 1 AND text = 'x'": "count_star is not for a rule",
    "sum(amount) OVER () > 1": "window is not for a rule",
    "text IN (SELECT 'x')": "subquery is not for a rule",
    "text = (SELECT content FROM read_text('/etc/hostname'))": "subquery is not for a rule",
    "read_text(text) = 'x'": "read_text is not for a rule",
    "getenv(text) = 'x'": "getenv is not for a rule",
    "COLUMNS(*) > 1 OR text = 'x'": "star is not for a rule",
    "amount > ?": "parameter is not for a rule",
    "amount / 3 > 1": "/ is not for a rule",
    "amount < 1e3": "1e3 is a floating-point number",
    "CAST(amount AS DOUBLE) < 3": "no cast to DOUBLE",
    "amount > '0.10005'": "a number in quotes would be rounded",
    "abs(amount) BETWEEN '0' AND 1": "a number in quotes would be rounded",
    "amount * amount > 1": "every row can answer .*Overflow",
    "text = 1": "every row can answer .*'no number'",
    "text > 1": "every row can answer .*VARCHAR",
    "booked_on > 'yesterday'": "every row can answer .*yesterday",
    "amount": r"expected a condition, true or false; this gives DECIMAL\(24,4\)",
    "1 = 1": "expected at least one of the columns amount, event_at",
    "amount > 0) OR (text = 'x'": "expected a SQL expression; syntax error",
    "amount > 0; DROP TABLE rows": "expected a SQL expression; Only SELECT",
    "amount > 0 FROM rows": "expected a SQL expression; syntax error",
    "amount > 0, text": "row is not for a rule",
    "amount >": "expected a SQL expression; syntax error",
}


@pytest.mark.parametrize(("expression", "why"), REFUSED.items(), ids=list(REFUSED))
def test_what_one_row_cannot_answer_exactly_is_refused(expression: str, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(doubt(expression, COLUMNS, BERLIN))


ACCEPTED = {  # with whether it is false for ROW
    "amount = 0.1": False,
    "amount > 0.10005": True,
    "amount + 0.00001 > 0.1": False,
    "amount IN (0.10005, 7)": True,
    "amount % 0.05 = 0": False,
    "round(amount, 2) = amount": False,
    "booked_on - business_date <= 2": False,
    "booked_on - business_date < 2": True,
    "event_at >= booked_on - INTERVAL '1 day'": False,
    "hour(event_at) = 0": False,
    "EXTRACT(day FROM event_at) = 2": False,
    "CAST(event_at AS DATE) <= business_date": True,
    "event_at < '2024-07-02 00:00:00'": True,
    "TRY_CAST(text AS INTEGER) > 3": False,
    "text LIKE 'X%'": True,
    "text ILIKE 'X%' -- any case": False,
    "text ~ '[a-z]' AND NOT text SIMILAR TO 'x.+'": False,
    "CASE WHEN text = 'x' THEN amount < 0 ELSE TRUE END": True,
    "upper(text) || '''' = 'X'''": False,
}


@pytest.mark.parametrize(("expression", "expected"), ACCEPTED.items(), ids=list(ACCEPTED))
def test_an_expression_means_what_it_means_in_sql(expression: str, expected: bool) -> None:  # noqa: FBT001
    assert doubt(expression, COLUMNS, BERLIN) is None
    assert is_false(expression) is expected


def test_the_columns_that_an_expression_asks_for_are_known_by_name() -> None:
    assert columns_of("AMOUNT < 0 OR \"text\" IN ('booked_on') -- event_at") == {"amount", "text"}


@pytest.mark.parametrize("expression", ["amount < 0", "text NOT IN ('x')", "NOT (amount > 0)", "text LIKE '%x%'"])
def test_what_is_unknown_is_not_broken(expression: str) -> None:
    assert not is_false(expression, amount=None, text=None)


@pytest.mark.parametrize("expression", ["(text = 'x') IS TRUE", "text IS NOT NULL", "text IS NOT DISTINCT FROM 'x'"])
def test_an_expression_that_asks_for_null_gets_its_answer(expression: str) -> None:
    assert is_false(expression, text=None)


money = st.decimals(Decimal(-(10**20)) + 1, Decimal(10**20) - 1, places=4, allow_nan=False)


@settings(deadline=None)
@given(money, st.decimals(-(10**12), 10**12, places=6, allow_nan=False) | money)
def test_amounts_compare_to_the_last_digit(amount: Decimal, bound: Decimal) -> None:
    assert is_false(f"amount < {bound:f}", amount=amount) == (amount >= bound)
    assert is_false(f"amount = {bound:f}", amount=amount) == (amount != bound)


def test_an_expression_that_fails_on_a_row_is_named_and_the_row_is_not_shown() -> None:
    rows = pa.table({"text": ["12", "secret"]})
    with pytest.raises(ExpressionFailed, match=r"^rule house_rule cannot be computed") as failure:
        false_rows({"fine": "text = 'x'", "house_rule": "CAST(text AS INTEGER) > 3"}, rows, BERLIN)
    assert "secret" not in str(failure.value)
    assert failure.value.__suppress_context__


def test_rows_of_a_failed_expression_leave_nothing_behind_for_the_next() -> None:
    with pytest.raises(ExpressionFailed):
        false_rows({"a": "amount > 0"}, pa.table({"text": ["x"]}), BERLIN)
    rows = pa.table({"text": ["x", "y", None]})
    assert false_rows({"a": "text = 'x'"}, rows, BERLIN)["a"].to_pylist() == [False, True, False]


def test_no_rows_are_no_problem() -> None:
    assert false_rows({"a": "amount > 0", "b": "text = 'x'"}, pa.table(COLUMNS_EMPTY), BERLIN).num_rows == 0


COLUMNS_EMPTY = {name: pa.array([], kind) for name, kind in COLUMNS.items()}


def with_every_column() -> InstitutionSpec:
    texts = ("reverses_id", "direction", "channel", "category", "country", "description")
    columns = {name: {"source": name} for name in (*texts, "booked_on")}
    return minimal_spec(columns=columns, labels={"source": "fraud"}, pass_through=["note"])


def test_an_expression_sees_each_column_in_the_type_of_the_cleaned_table() -> None:
    for field in cleaned_table(with_every_column()).schema:
        if not field.name.startswith("_") and field.name != "warnings":
            assert TYPES.get(field.name, pa.string()) == field.type, field.name


def test_a_spec_with_an_expression_over_an_unknown_column_names_rule_and_column() -> None:
    with pytest.raises(ValueError, match="rule house_rule: no column category; expected some of event_at, amount"):
        minimal_spec(row_rules=[{"name": "house_rule", "holds": "category = 'x'"}])


@pytest.mark.parametrize("name", ["business_date", "event_at_is_ambiguous", "note", "is_fraud", "booked_on"])
def test_an_expression_may_use_what_the_platform_derives(name: str) -> None:
    spec = with_every_column().model_dump(exclude_unset=True)
    InstitutionSpec.model_validate(spec | {"row_rules": [{"name": "a", "holds": f"{name} IS NOT NULL"}]})
