"""The platform's tables exist for every kind of tenant: complete, typed, described, with keys that can be keys."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pytest

import etl_assets.simulator
from etl_assets.contracts import Table
from etl_assets.dictionary import all_tables
from etl_assets.feature_groups import FEATURES, Need, supported
from etl_assets.institution_spec import CANONICAL_TEXT, Columns, InstitutionSpec, load_spec
from etl_assets.io_managers.postgres.types import sql_type
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse
from etl_assets.io_managers.slices import WHOLE
from etl_assets.io_managers.targets import Mode, Target
from etl_assets.tables import (
    TEXT,
    available_inputs,
    cleaned_table,
    featured_table,
    raw_table,
    scored_table,
)
from etl_assets_tests.specs import minimal_spec

DEMO = sorted((Path(etl_assets.simulator.__file__).parent / "institutions").glob("*.yaml"))
WITHOUT_PARTIES = {"account_id": None, "counterparty_id": None}
KINDS: Mapping[str, dict[str, Any]] = {
    "without_id": {"columns": {"transaction_id": None}},
    "without_parties": {"columns": WITHOUT_PARTIES},
    "without_anything": {"columns": WITHOUT_PARTIES | {"transaction_id": None}},
    "by_day": {"event_precision": "day", "columns": {"event_at": {"formats": ["%Y-%m-%d"]}}},
    "with_every_column": {
        "columns": {name: {"source": name} for name in (*CANONICAL_TEXT, "booked_on")},
        "labels": {"source": "fraud"},
        "pass_through": ["note"],
    },
    "keyed_by_content": {"key": ["account_id", "event_at", "amount", "currency"]},
    "keyed_by_a_pass_through": {"key": ["account_id", "serial"], "pass_through": ["serial"]},
}
SPECS = {path.stem: load_spec(path) for path in DEMO} | {name: minimal_spec(**kind) for name, kind in KINDS.items()}
each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())


def test_the_demo_has_institutions() -> None:
    assert len(DEMO) >= 3


@each_spec
def test_a_table_says_what_it_and_each_column_is(spec: InstitutionSpec) -> None:
    for table in all_tables(spec):
        for text in (table.description, *(column.description for column in table.columns)):
            assert text.strip().endswith(".")
        assert len(table.dictionary().splitlines()) == 6 + len(table.columns)


@each_spec
def test_a_table_has_a_key_whose_columns_are_there_and_required(spec: InstitutionSpec) -> None:
    for table in all_tables(spec):
        assert table.key
        assert set(table.key) <= table.required
        assert not any(table.schema.field(name).nullable for name in table.key)


@each_spec
def test_a_table_by_business_date_has_it_in_its_key(spec: InstitutionSpec) -> None:
    for table in all_tables(spec):
        if table.partition_column is not None:
            assert table.partition_column == table.key[0] == "business_date"
            assert table.schema.field("business_date").type == pa.date32()


@each_spec
def test_every_type_of_a_table_has_a_place_in_postgresql(spec: InstitutionSpec) -> None:
    for table in all_tables(spec):
        assert all(sql_type(column.type) for column in table.columns)


@each_spec
def test_a_table_comes_back_from_the_metadata_of_its_asset(spec: InstitutionSpec) -> None:
    for table in all_tables(spec):
        assert Table.from_dict(json.loads(json.dumps(table.to_dict()))) == table


@each_spec
def test_an_empty_day_conforms(spec: InstitutionSpec) -> None:
    for table in all_tables(spec):
        assert table.conform(table.empty()) == table.empty()


@pytest.mark.parametrize("name", [*(path.stem for path in DEMO), "with_every_column"])
def test_postgresql_makes_every_table_and_gives_an_empty_one_back(warehouse: PostgresWarehouse, name: str) -> None:
    spec = SPECS[name]
    for table in all_tables(spec):
        target = Target(spec.institution, table)
        warehouse.write(target, WHOLE, table.empty(), "run", mode=Mode.APPEND)
        assert warehouse.read_slice(target, WHOLE).schema.equals(table.schema)


@each_spec
def test_the_features_of_a_source_are_the_supported_ones_in_the_models_order(spec: InstitutionSpec) -> None:
    features = supported(available_inputs(spec))
    found = featured_table(spec).columns
    assert [column.name for column in found[len(found) - len(features) :]] == [feature.name for feature in features]
    names = {feature.name for feature in FEATURES}
    assert [column.name for column in found if column.name in names] == [feature.name for feature in features]
    assert all(column.type == pa.float64() for column in found if column.name in names)


@pytest.mark.parametrize("is_there", list(itertools.product([True, False], repeat=4)))
def test_a_source_has_the_inputs_that_it_delivers(is_there: tuple[bool, ...]) -> None:
    without = {name: None for name, has in zip(WITHOUT_PARTIES, is_there, strict=False) if not has}
    labels = {"labels": {"source": "fraud"}} if is_there[3] else {}
    spec = minimal_spec(columns=without, event_precision="second" if is_there[2] else "day", **labels)
    expected = [need for need, has in zip(get_args(Need), is_there, strict=True) if has]
    assert list(available_inputs(spec)) == expected
    assert all(feature.needs <= set(expected) for feature in supported(available_inputs(spec)))


@each_spec
def test_the_key_of_a_transaction_is_the_same_from_cleaned_to_scored(spec: InstitutionSpec) -> None:
    tables = [cleaned_table(spec), featured_table(spec), scored_table(spec)]
    assert {table.key for table in tables} == {("business_date", *spec.identity)}
    for name in tables[0].key:
        assert len({table.schema.field(name).type for table in tables}) == 1


@each_spec
def test_raw_keeps_every_declared_source_as_text(spec: InstitutionSpec) -> None:
    schema = raw_table(spec).schema
    assert [schema.field(name).type for name in spec.declared] == [TEXT] * len(spec.declared)


@each_spec
def test_cleaned_has_the_mapped_columns_and_no_party_that_is_not_delivered(spec: InstitutionSpec) -> None:
    names = set(cleaned_table(spec).schema.names)
    assert {*spec.columns.mapped, *spec.pass_through} <= names
    missing = {*Columns.model_fields} - {*spec.columns.mapped} - {"transaction_id", "booked_on"}
    assert not missing & names


@each_spec
def test_a_label_is_never_a_model_input(spec: InstitutionSpec) -> None:
    assert "is_fraud" not in {feature.name for feature in supported(available_inputs(spec))}
    assert cleaned_table(spec).schema.field("is_fraud").nullable


@each_spec
def test_the_tables_of_an_institution_have_names_of_their_own(spec: InstitutionSpec) -> None:
    names = [table.name for table in all_tables(spec)]
    assert len(set(names)) == len(names)
