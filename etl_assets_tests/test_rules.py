"""Row rules on random rows: a row has every rule that it breaks, in quarantine or as a warning, and no other."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.spec.rules import RowRule
from etl_assets_tests.raw_rows import cleaned, delivery, only_row, reasons
from etl_assets_tests.specs import minimal_spec

Row = dict[str, str | None]
Oracle = Callable[[Row], bool]
"""Whether a row breaks a rule, told from its texts one by one."""

COLUMNS = {"columns": {"category": {"source": "category"}, "reverses_id": {"source": "reverses"}}}
SOURCES = {"category": "category", "reverses_id": "reverses", "amount": "amount", "points": "points"}
LISTED = ["5411", "x"]


def spec_with(*rules: dict[str, Any]) -> InstitutionSpec:
    named = [{"name": f"rule_{n}", **rule} for n, rule in enumerate(rules)]
    return minimal_spec(**COLUMNS, pass_through=["points"], row_rules=named)


def text(row: Row, column: str) -> str | None:
    delivered = row[SOURCES[column]]
    return delivered if column == "points" else (delivered or "").strip(" ") or None


def amount(row: Row) -> Decimal | None:
    try:
        return Decimal((row["amount"] or "").strip(" "))
    except InvalidOperation:
        return None


def outside(value: Decimal | None, rule: dict[str, Any]) -> bool:
    if value is None:
        return False
    return value < Decimal(str(rule.get("minimum", "-1e99"))) or value > Decimal(str(rule.get("maximum", "1e99")))


def breaks(row: Row, rule: dict[str, Any]) -> bool:
    """What the rule says of a column, row by row and one part after the other."""
    column = rule["column"]
    value = text(row, column)
    if not (value or "").strip(" "):
        return rule.get("required", False)
    assert value is not None
    wrong = [
        value not in rule.get("allowed", [value]),
        "reference" in rule and value not in LISTED,
        "pattern" in rule and re.fullmatch(rule["pattern"], value) is None,
    ]
    if column == "amount":
        return any(wrong) or outside(amount(row), rule)
    if {"minimum", "maximum"} & set(rule):
        number = re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", value.strip(" "))
        wrong.append(number is None or outside(Decimal(number[0]), rule))
    return any(wrong)


HOLDS: dict[str, Oracle] = {
    "amount < 0 OR reverses_id IS NOT NULL": lambda r: (
        (value := amount(r)) is not None and value >= 0 and text(r, "reverses_id") is None
    ),
    "abs(amount) <= 12.50": lambda r: (value := amount(r)) is not None and abs(value) > Decimal("12.5"),
    "amount <> 0.1": lambda r: amount(r) == Decimal("0.1"),
    "length(category) = 4": lambda r: (value := text(r, "category")) is not None and len(value) != 4,
    "category IS DISTINCT FROM points": lambda r: text(r, "category") == text(r, "points"),
    "coalesce(category, 'none') IN ('none', '5411') -- known": lambda r: text(r, "category") not in {None, "5411"},
}

rows = st.fixed_dictionaries(
    {
        "amount": st.sampled_from(["-12.50", " 12.51", "0", "0.1", "99999999999999999999", "x", None]),
        "category": st.sampled_from(["5411", " 5411 ", "x", "54110", " ", None]),
        "points": st.sampled_from(["5411", " 1.5", "7", "1e3", "", None]),
        "reverses": st.sampled_from(["T0", None]),
    }
)
bounds = st.sampled_from([-12.5, 0, 0.1, 7, 1e300])
parts: dict[str, st.SearchStrategy[Any]] = {
    "required": st.just(value=True),
    "minimum": bounds,
    "maximum": bounds,
    "pattern": st.sampled_from([r"\d{4}", "5.*", r"5(?!411)\d+"]),
    "allowed": st.sampled_from([["5411"], ["x", " 1.5"]]),
    "reference": st.just({"file": "${ETL_REFERENCES}/mcc.csv", "column": "id"}),
}
of_a_column = st.builds(
    lambda column, said: {"column": column, **said},
    st.sampled_from(["amount", "category", "points"]),
    st.fixed_dictionaries({}, optional=parts).filter(bool),
).filter(lambda rule: rule.get("minimum", -1e300) <= rule.get("maximum", 1e300))
rules = st.lists(
    st.builds(
        lambda rule, warns: rule | {"warns": warns},
        of_a_column | st.sampled_from([{"holds": text} for text in HOLDS]),
        st.booleans(),
    ),
    max_size=5,
)


@pytest.fixture(scope="module", autouse=True)
def references(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of categories where the environment says."""
    folder = tmp_path_factory.mktemp("references")
    (folder / "mcc.csv").write_text("id,meaning\n5411,groceries\nx,\n,\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETL_REFERENCES", str(folder))
        yield folder


@settings(deadline=None)
@given(st.lists(rows, max_size=5), rules)
def test_a_row_has_all_the_rules_that_it_breaks_and_no_others(some: list[Row], ruled: list[dict[str, Any]]) -> None:
    delivered = [row | {"transaction_id": f"T{n}"} for n, row in enumerate(some)]
    without, spec = spec_with(), spec_with(*ruled)
    typed = cleaned(without, delivery(without, *delivered)).quarantined.to_pylist()
    verdict = cleaned(spec, delivery(spec, *delivered))
    quarantined = {row["_row_number"]: row["reasons"] for row in verdict.quarantined.to_pylist()}
    published = {row["_row_number"]: row["warnings"] for row in verdict.published.to_pylist()}
    for line, row in enumerate(some, start=2):
        broken = {
            (rule["warns"], f"rule_{n}")
            for n, rule in enumerate(ruled)
            if (HOLDS[rule["holds"]](row) if "holds" in rule else breaks(row, rule))
        }
        values = [reason for r in typed if r["_row_number"] == line for reason in r["reasons"].split(",")]
        refused = sorted([*values, *(name for warns, name in broken if not warns)])
        assert (quarantined.get(line) or "").split(",") == (refused or [""])
        if not refused:
            assert published[line] == (",".join(sorted(name for warns, name in broken if warns)) or None)


def test_an_expression_blames_no_column_and_keeps_its_name() -> None:
    spec = spec_with({"name": "refund_has_a_target", "holds": "amount < 0 OR reverses_id IS NOT NULL"})
    row = only_row(spec, amount="12.50")
    assert (row["reasons"], row["column_name"], row["value"]) == ("refund_has_a_target", None, None)
    assert reasons(spec, amount="12.50", reverses="T0") == []
    assert reasons(spec, amount="-12.50") == []


def test_an_expression_over_a_broken_value_adds_no_second_reason() -> None:
    assert reasons(spec_with({"holds": "amount < 0"}), amount="zwölf") == ["amount_is_not_a_number"]


def test_hours_and_days_of_an_expression_are_those_of_the_institution() -> None:
    spec = spec_with({"holds": "hour(event_at) = 0 AND CAST(event_at AS DATE) = business_date"})
    assert reasons(spec, event_at="2024-03-06 00:30:00") == []
    assert reasons(spec, event_at="2024-03-05 23:30:00") == ["rule_0"]


def test_a_row_that_cannot_be_split_breaks_no_rule() -> None:
    spec = spec_with({"holds": "category IS NOT NULL"}, {"column": "category", "required": True, "warns": True})
    nothing = dict.fromkeys(spec.declared)
    assert reasons(spec, **nothing, _problem="6 fields", _record=b"x") == ["record_cannot_be_split"]


def test_a_warning_publishes_the_row_and_names_its_rules_in_order() -> None:
    outlier = {"name": "a_large_amount", "column": "amount", "minimum": -10, "warns": True}
    spec = spec_with({"column": "category", "required": True, "warns": True}, outlier)
    assert only_row(spec)["warnings"] == "a_large_amount,rule_0"
    assert only_row(spec, category="5411", amount="-1")["warnings"] is None


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"required": True}, "expected `column`, which required is about"),
        ({"column": "amount", "holds": "amount < 0"}, "rule of its own for column"),
        ({"column": "amount", "minimum": 0, "holds": "amount < 0"}, "rule of its own for column, minimum"),
        ({"column": "amount", "warns": True}, "at least one of required: true, .*, reference"),
        ({"warns": True}, "at least one of required: true, .*, reference"),
        ({"column": "category", "reference": {"file": "mcc.txt", "column": "id"}}, r"ends in \.csv or \.parquet"),
        ({"column": "category", "reference": {"file": "${/x.csv", "column": "id"}}, "expected environment variables"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RowRule.model_validate({"name": "house_rule", **rule})
