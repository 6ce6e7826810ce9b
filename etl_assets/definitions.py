"""The platform as Dagster sees it: every institution's definitions, the resources, the executor. Composition only."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from etl_assets.institution import definitions_of
from etl_assets.institution_spec import InstitutionSpec, SpecRefused, load_spec
from etl_assets.resources import resources

DEMO_INSTITUTIONS = Path(__file__).parent / "simulator" / "institutions"


def institutions_folder() -> Path:
    """The folder of the tenants' YAML files: `ETL_INSTITUTIONS`, or the demo's."""
    return Path(os.environ.get("ETL_INSTITUTIONS") or DEMO_INSTITUTIONS)


def load_institutions(folder: Path) -> list[InstitutionSpec]:
    """Every tenant of the folder, by name.

    Raises: SpecRefused with the mistakes of all files at once, or where two files describe one institution.
    """
    specs, mistakes = [], []
    for path in sorted(folder.glob("*.yaml")):
        try:
            specs.append(load_spec(path))
        except SpecRefused as refusal:
            mistakes.append(str(refusal))
    names = [spec.institution for spec in specs]
    mistakes += [f"{folder}: institution {n} has two files" for n in sorted({n for n in names if names.count(n) > 1})]
    if mistakes:
        raise SpecRefused("\n".join(mistakes))
    if not specs:
        raise SpecRefused(f"{folder}: no *.yaml file; point ETL_INSTITUTIONS to the folder of the institutions")
    return sorted(specs, key=lambda spec: spec.institution)


def build_definitions(folder: Path | None = None, **overrides: object) -> dg.Definitions:
    """The platform for the institutions of `folder`; `overrides` replace resources by name."""
    with warnings.catch_warnings():
        # Single-run backfills and partitioned checks are beta and preview; the platform rests on both.
        warnings.filterwarnings("ignore", ".*is currently in (beta|preview)")
        tenants = [definitions_of(spec) for spec in load_institutions(folder or institutions_folder())]
    bindings: Mapping[str, object] = {**resources(), **overrides}
    return dg.Definitions.merge(*tenants, dg.Definitions(resources=bindings, executor=dg.in_process_executor))


defs = build_definitions()
