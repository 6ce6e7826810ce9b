"""Questions put to the published tables, per business date: how many rows break a promise.

SQL over what is really stored, so that a promise is proven by the warehouse and not by the code that wrote it.
Who asks and what follows belongs to `checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from etl_assets.contracts import quoted
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.io_managers.postgres.schema import qualified
from etl_assets.io_managers.postgres.warehouse import PostgresWarehouse


@dataclass(frozen=True)
class Promise:
    """A falsifiable name, what it means, and the query that counts violations per business date in $1 .. $2."""

    name: str
    table: str
    description: str
    violations: Callable[[InstitutionSpec], str]
    is_warning: bool = False


def violations(
    warehouse: PostgresWarehouse, spec: InstitutionSpec, promise: Promise, days: Iterable[date]
) -> dict[date, int]:
    """For each day, how many rows or deliveries break the promise; 0 where none does."""
    days = sorted(days)
    found = warehouse.fetch(promise.violations(spec), (days[0], days[-1]))
    counts = dict(zip(found["business_date"].to_pylist(), found["violations"].to_pylist(), strict=True))
    return {day: int(counts.get(day, 0)) for day in days}


def _in(spec: InstitutionSpec, table: str) -> str:
    return qualified(spec.institution, table)


def _keys(spec: InstitutionSpec, alias: str = "") -> str:
    return ", ".join(alias + quoted(name) for name in spec.identity)


def _delivery_arrived(spec: InstitutionSpec) -> str:
    return f"""
        SELECT day::date AS business_date, 1 AS violations
        FROM generate_series($1::date, $2::date, interval '1 day') AS day
        WHERE NOT EXISTS (
            SELECT FROM {_in(spec, "deliveries")} WHERE business_date = day::date AND problem IS NULL)"""


def _empty_is_announced(spec: InstitutionSpec) -> str:
    return _where(spec, "deliveries", "state = 'empty' AND stated_rows IS DISTINCT FROM 0")


def _account_balances(spec: InstitutionSpec) -> str:
    return f"""
        WITH c AS (SELECT _delivery_id, count(*) AS n FROM {_in(spec, "cleaned_transactions")}
                   WHERE business_date BETWEEN $1 AND $2 GROUP BY 1),
             q AS (SELECT _delivery_id, disposition, count(*) AS n FROM {_in(spec, "quarantined_transactions")}
                   WHERE business_date BETWEEN $1 AND $2 GROUP BY 1, 2),
             k AS (SELECT _delivery_id, sum(n) AS n FROM q GROUP BY 1),
             r AS (SELECT _delivery_id, count(*) AS n FROM {_in(spec, "raw_transactions")}
                   WHERE business_date BETWEEN $1 AND $2 GROUP BY 1)
        SELECT d.business_date, count(*) AS violations
        FROM {_in(spec, "deliveries")} d
        LEFT JOIN {_in(spec, "row_account")} a USING (_delivery_id)
        LEFT JOIN c USING (_delivery_id) LEFT JOIN k USING (_delivery_id) LEFT JOIN r USING (_delivery_id)
        WHERE d.business_date BETWEEN $1 AND $2 AND (d.problem IS NULL OR coalesce(c.n, k.n, r.n) > 0) AND (
            d.records_read <> coalesce(c.n, 0) + coalesce(k.n, 0) + d.control_lines
            OR d.records_read <> coalesce(r.n, 0) + d.control_lines
            OR a.published IS DISTINCT FROM coalesce(c.n, 0)
            OR a.records_read IS DISTINCT FROM d.records_read
            OR a.records_read IS DISTINCT FROM a.published + a.invalid + a.duplicate + a.superseded + a.control_lines
            OR EXISTS (SELECT FROM q WHERE q._delivery_id = d._delivery_id AND q.n <> CASE q.disposition
                WHEN 'invalid' THEN a.invalid WHEN 'duplicate' THEN a.duplicate ELSE a.superseded END))
        GROUP BY 1"""


def _key_is_unique(spec: InstitutionSpec) -> str:
    horizon = spec.duplicate_horizon_days
    return f"""
        SELECT business_date, count(*) AS violations FROM (
            SELECT business_date, count(*) OVER (PARTITION BY {_keys(spec)} ORDER BY business_date
                RANGE BETWEEN '{horizon} days' PRECEDING AND '{horizon} days' FOLLOWING) AS n
            FROM {_in(spec, "cleaned_transactions")}
            WHERE business_date BETWEEN $1::date - {horizon} AND $2::date + {horizon}) AS seen
        WHERE n > 1 AND business_date BETWEEN $1 AND $2 GROUP BY 1"""


def _mandatory(spec: InstitutionSpec) -> str:
    missing = " OR ".join(f"{quoted(name)} IS NULL" for name in (*spec.identity, "event_at", "amount", "currency"))
    return _where(spec, "cleaned_transactions", missing)


def _within_lateness(spec: InstitutionSpec) -> str:
    local = f"(event_at AT TIME ZONE '{spec.time_zone}')::date"
    bounds = f"business_date - {spec.max_lateness_days} AND business_date"
    return _where(spec, "cleaned_transactions", f"{local} NOT BETWEEN {bounds}")


def _amount_is_exact(spec: InstitutionSpec) -> str:
    return f"""
        SELECT a.business_date, count(*) AS violations
        FROM {_in(spec, "row_account")} a
        LEFT JOIN (SELECT _delivery_id, sum(amount) AS total FROM {_in(spec, "cleaned_transactions")}
                   WHERE business_date BETWEEN $1 AND $2 GROUP BY 1) c USING (_delivery_id)
        WHERE a.business_date BETWEEN $1 AND $2 AND a.published_amount <> coalesce(c.total, 0) GROUP BY 1"""


def _same_rows(spec: InstitutionSpec, upstream: str, table: str) -> str:
    days = "WHERE business_date BETWEEN $1 AND $2"
    return f"""
        SELECT business_date, count(*) AS violations
        FROM (SELECT business_date, {_keys(spec)}, 1 AS there FROM {_in(spec, upstream)} {days}) u
        FULL JOIN (SELECT business_date, {_keys(spec)}, 1 AS there FROM {_in(spec, table)} {days}) t
        USING (business_date, {_keys(spec)})
        WHERE u.there IS NULL OR t.there IS NULL GROUP BY 1"""


def _told(spec: InstitutionSpec) -> str:
    same = f"(a.business_date, {_keys(spec, 'a.')}) = (s.business_date, {_keys(spec, 's.')})"
    return f"""
        SELECT business_date, count(*) AS violations FROM {_in(spec, "scored_transactions")} s
        WHERE business_date BETWEEN $1 AND $2 AND is_flagged
        AND NOT EXISTS (SELECT FROM {_in(spec, "alerts")} a WHERE {same}) GROUP BY 1"""


def _alert_budget(spec: InstitutionSpec) -> str:
    share = spec.alert_budget.share * spec.alert_budget.tolerance
    return f"""
        SELECT business_date, count(*) FILTER (WHERE is_flagged) AS violations
        FROM {_in(spec, "scored_transactions")} WHERE business_date BETWEEN $1 AND $2
        GROUP BY 1 HAVING count(*) FILTER (WHERE is_flagged) > ceil({share} * count(*))"""


def _where(spec: InstitutionSpec, table: str, broken: str) -> str:
    return f"""
        SELECT business_date, count(*) AS violations FROM {_in(spec, table)}
        WHERE business_date BETWEEN $1 AND $2 AND ({broken}) GROUP BY 1"""


PROMISES = (
    Promise(
        "a_delivery_arrived",
        "raw_transactions",
        "Something was delivered for the day.",
        _delivery_arrived,
        is_warning=True,
    ),
    Promise(
        "an_empty_delivery_is_announced",
        "raw_transactions",
        "A delivery without records is one whose manifest or footer says so; otherwise something may have been lost.",
        _empty_is_announced,
        is_warning=True,
    ),
    Promise(
        "the_header_is_as_before",
        "raw_transactions",
        "No column is new, gone, spelt otherwise or of another type; a violation is an event in `schema_events`.",
        lambda spec: _where(spec, "schema_events", "true"),
        is_warning=True,
    ),
    Promise(
        "row_account_balances",
        "row_account",
        "Per delivery: records read = published + quarantined + control lines, counted in the tables.",
        _account_balances,
    ),
    Promise(
        "transaction_key_is_unique",
        "cleaned_transactions",
        "No key is published twice within the duplicate horizon; a violation names a day to restate.",
        _key_is_unique,
    ),
    Promise(
        "mandatory_columns_are_not_null",
        "cleaned_transactions",
        "Key, time, amount and currency are there.",
        _mandatory,
    ),
    Promise(
        "event_time_is_within_lateness",
        "cleaned_transactions",
        "No event lies after its business date or further back than the institution may be late.",
        _within_lateness,
    ),
    Promise(
        "amount_is_exact",
        "cleaned_transactions",
        "The sum of the stored amounts is the sum that the row account holds, to the last digit.",
        _amount_is_exact,
    ),
    Promise(
        "no_row_breaks_a_rule_that_warns",
        "cleaned_transactions",
        "No published row has `warnings`: outliers stay in, and are counted here.",
        lambda spec: _where(spec, "cleaned_transactions", "warnings IS NOT NULL"),
        is_warning=True,
    ),
    Promise(
        "every_cleaned_row_has_features",
        "featured_transactions",
        "Cleaned and featured hold the same keys.",
        lambda spec: _same_rows(spec, "cleaned_transactions", "featured_transactions"),
    ),
    Promise(
        "every_featured_row_has_a_score",
        "scored_transactions",
        "Featured and scored hold the same keys.",
        lambda spec: _same_rows(spec, "featured_transactions", "scored_transactions"),
    ),
    Promise(
        "every_flagged_row_has_an_alert",
        "scored_transactions",
        "No transaction is flagged without having been told; an alert outlives a score that is restated.",
        _told,
    ),
    Promise(
        "scores_are_finite",
        "scored_transactions",
        "Every score lies in [0, 1]; NaN does not.",
        lambda spec: _where(spec, "scored_transactions", "NOT score BETWEEN 0 AND 1"),
    ),
    Promise(
        "alert_budget_is_kept",
        "scored_transactions",
        "No more alerts than the budget's tolerance allows.",
        _alert_budget,
        is_warning=True,
    ),
)
