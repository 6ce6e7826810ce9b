"""Any sequence of operations leaves what a dictionary of partitions would hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from etl_assets.io_managers.errors import KeyRepeated, RowsOutsideSlice, Unavailable
from etl_assets.io_managers.slices import WHOLE, daily_slice
from etl_assets.io_managers.targets import Mode
from etl_assets_tests.abilities import Ability
from etl_assets_tests.backends import Backend, a_backend, a_suite_database  # noqa: F401
from etl_assets_tests.payments import MONDAY, PAYMENTS, Bank

DAYS = [MONDAY + timedelta(days=n) for n in range(3)]
days = st.sampled_from(DAYS)
ranges = st.tuples(st.integers(0, 2), st.integers(1, 3)).map(lambda at: DAYS[at[0] : at[0] + at[1]])
contents = st.dictionaries(st.integers(0, 4), st.sampled_from(["tea", "", None]), max_size=4)
some = st.dictionaries(st.integers(0, 4), st.sampled_from(["tea", "", None]), min_size=2, max_size=4)
Model = dict[date, dict[int, str | None]]


def _frame(rows: Mapping[date, Mapping[int, str | None]]) -> pa.Table:
    values = [{"day": day, "id": id_, "note": note} for day, content in rows.items() for id_, note in content.items()]
    return pa.Table.from_pylist(values, schema=PAYMENTS.schema)


class Partitions(RuleBasedStateMachine):
    """`held` is what each partition that was written holds, by id; the warehouse must say the same."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend, self.bank = backend, Bank.of(backend.warehouse(), backend.layout)
        self.held: Model = {}
        backend.clear()  # a new database for each example would cost more than all its writes

    def can(self, ability: Ability) -> bool:
        return ability not in self.backend.cannot

    def expected(self, asked: list[date]) -> list[tuple[date, int, str | None]]:
        return [(day, *row) for day in sorted(asked) for row in sorted(self.held.get(day, {}).items())]

    @rule(day=days, content=contents)
    def replace_one(self, day: date, content: dict[int, str | None]) -> None:
        assert self.bank.write(_frame({day: content}), day) == {str(day): len(content)}
        self.held[day] = content

    @rule(asked=ranges, data=st.data())
    def replace_range(self, asked: list[date], data: st.DataObject) -> None:
        rows = {day: data.draw(contents) for day in asked}
        self.bank.write(_frame(rows), *asked)
        self.held |= rows

    @rule(asked=ranges)
    def empty(self, asked: list[date]) -> None:
        self.bank.write(_frame({}), *asked)
        self.held |= {day: {} for day in asked}

    @rule(asked=ranges, content=contents, mode=st.sampled_from([Mode.REPLACE_PARTITION, Mode.APPEND, Mode.UPSERT]))
    def rows_outside(self, asked: list[date], content: dict[int, str | None], mode: Mode) -> None:
        if mode not in self.backend.cannot:
            with pytest.raises(RowsOutsideSlice):
                self.bank.write(_frame({asked[0]: content, date(1999, 1, 1): {1: "lost"}}), *asked, mode=mode)

    @rule(asked=ranges, content=contents, number=st.integers(1, 12))
    def lost_at_a_statement(self, asked: list[date], content: dict[int, str | None], number: int) -> None:
        try:
            with self.backend.failing_at_statement(number) as fault:
                self.bank.write(_frame({asked[0]: content}), *asked)
        except Unavailable:
            assert fault.has_fired
        else:
            self.held |= {day: {} for day in asked} | {asked[0]: content}

    @precondition(lambda self: self.can(Ability.APPEND))
    @rule(day=days, content=contents)
    def append(self, day: date, content: dict[int, str | None]) -> None:
        if set(content) & set(self.held.get(day, {})):
            with pytest.raises(KeyRepeated):
                self.bank.write(_frame({day: content}), day, mode=Mode.APPEND)
        else:
            self.bank.write(_frame({day: content}), day, mode=Mode.APPEND)
            self.held[day] = self.held.get(day, {}) | content

    @precondition(lambda self: self.can(Ability.UPSERT))
    @rule(day=days, content=some)
    def upsert(self, day: date, content: dict[int, str | None]) -> None:
        self.bank.write(_frame({day: content}), day, mode=Mode.UPSERT)
        self.held[day] = self.held.get(day, {}) | content

    @precondition(lambda self: self.can(Ability.REPLACE_TABLE))
    @rule(asked=ranges, content=contents)
    def replace_table(self, asked: list[date], content: dict[int, str | None]) -> None:
        self.bank.write(_frame({asked[-1]: content}), *asked, mode=Mode.REPLACE_TABLE)
        self.held = {day: {} for day in asked} | {asked[-1]: content}

    @rule(asked=ranges)
    def read(self, asked: list[date]) -> None:
        slice_ = daily_slice("day", asked)
        found = self.bank.warehouse.read_slice(self.bank.at, slice_, ["day", "id", "note"], must_exist=False)
        assert _tuples(found) == self.expected(asked)

    @invariant()
    def all_partitions_are_as_in_the_model(self) -> None:
        rows = self.bank.warehouse.read_slice(self.bank.at, WHOLE, ["day", "id", "note"], must_exist=False)
        assert _tuples(rows) == self.expected(DAYS)
        assert self.bank.warehouse.written("bank", "payments") == {str(day) for day in self.held}

    def teardown(self) -> None:
        assert self.backend.strangers(self.bank.at) == set()


def _tuples(rows: pa.Table) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows.to_pylist()]


def test_any_sequence_of_operations_is_that_of_a_dictionary(backend: Backend) -> None:
    examples = max(3, int(10 / backend.slowness))
    moderate = settings(deadline=None, max_examples=examples, stateful_step_count=20)
    run_state_machine_as_test(lambda: Partitions(backend), settings=moderate)  # type: ignore[arg-type]
