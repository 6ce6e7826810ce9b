"""Every table of one institution, in the order of the graph: what the data dictionary lists."""

from __future__ import annotations

from etl_assets.certificate_tables import MIRROR_CERTIFICATES
from etl_assets.contracts import Table
from etl_assets.institution_spec import InstitutionSpec
from etl_assets.learning_tables import alerts_table, confirmed_labels_table
from etl_assets.ledger_tables import CORRECTIONS, DELIVERIES, PROMOTIONS, REPLAYS, SCHEMA_EVENTS
from etl_assets.restatement_tables import DAY_CONTENTS
from etl_assets.tables import QUARANTINED, ROW_ACCOUNT, cleaned_table, featured_table, raw_table, scored_table


def all_tables(spec: InstitutionSpec) -> tuple[Table, ...]:
    """Those that the institution has or can have; without labels there are none of them."""
    first = (DELIVERIES, SCHEMA_EVENTS, raw_table(spec), cleaned_table(spec), QUARANTINED, ROW_ACCOUNT)
    labels = (confirmed_labels_table(spec),) if spec.labels else ()
    scores = (featured_table(spec), PROMOTIONS, scored_table(spec), alerts_table(spec))
    return (*first, *labels, *scores, CORRECTIONS, REPLAYS, DAY_CONTENTS, MIRROR_CERTIFICATES)
