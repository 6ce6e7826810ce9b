"""The row account put to the tables in Snowflake: records read = published + quarantined + control lines.

What `row_account_balances` in `audit.py` promises of PostgreSQL, in SQL that Snowflake understands. `deliveries` is
not mirrored, so the account itself says which deliveries there are, and rows of any other break it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from etl_assets.deliveries.row_account import DISPOSITIONS
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.snowflake.names import identifier

ACCOUNT = "row_account"
PROMISED = {
    "raw_transactions": {"delivered": "records_read - control_lines"},
    "cleaned_transactions": {"published": "published"},
    "quarantined_transactions": {name: name for name in DISPOSITIONS},
}
CLOSES = f"records_read - published - {' - '.join(DISPOSITIONS)} - control_lines"


def counted(spec: InstitutionSpec) -> list[str]:
    """The tables whose rows can be counted against the account: those that are mirrored."""
    return [name for name in PROMISED if name in spec.snowflake.tables]


def violations(spec: InstitutionSpec, days: Collection[date]) -> str:
    """SQL for the deliveries of each business date whose account does not close, on dates that have such.

    The account's row of a delivery says how many rows there are, each row takes one off, and every sum must be 0.
    """
    promised = {"closes": CLOSES} | {name: says for table in counted(spec) for name, says in PROMISED[table].items()}
    taken = {table: {name: _one_off(table, name) for name in PROMISED[table]} for table in counted(spec)}
    within = _within(days)
    rows = " UNION ALL ".join(
        f"SELECT business_date, _delivery_id, {', '.join(f'{says.get(name, 0)} AS {name}' for name in promised)} "  # noqa: S608  names are ours
        f"FROM {identifier(spec.institution, table)} WHERE {within}"
        for table, says in ({ACCOUNT: promised} | taken).items()
    )
    differs = " OR ".join(f"SUM({name}) <> 0" for name in promised)
    broken = f"SELECT business_date FROM ({rows}) c GROUP BY business_date, _delivery_id HAVING {differs}"  # noqa: S608
    return f"SELECT business_date, COUNT(*) FROM ({broken}) b GROUP BY business_date"  # noqa: S608


def deliveries(account: str, days: Collection[date]) -> str:
    """SQL for the deliveries of each business date that has any in the account, a table's quoted name in either."""
    return f"SELECT business_date, COUNT(*) FROM {account} WHERE {_within(days)} GROUP BY business_date"  # noqa: S608


def _within(days: Collection[date]) -> str:
    return f"business_date IN ({', '.join(f'DATE {str(day)!r}' for day in sorted(days))})"


def _one_off(table: str, name: str) -> str:
    is_of_several = len(PROMISED[table]) > 1
    return f"CASE WHEN disposition = '{name}' THEN -1 ELSE 0 END" if is_of_several else "-1"
