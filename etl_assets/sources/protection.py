"""Rows as they were read -> rows that may be written: without personal data in the clear.

The only way from `reading.py` to a table. Which columns are personal says `spec/privacy.py`; tokens,
undeclared columns and the search for forgotten card numbers have files of their own.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import PurePath

import pyarrow as pa

from etl_assets.institution_spec import InstitutionSpec
from etl_assets.sources.card_numbers import refuse_card_numbers
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.tokens import Keys, KeyUnset, NotRevealed, keys_of
from etl_assets.sources.undeclared import Undeclared
from etl_assets.spec.privacy import Fate, PersonalData, fates

__all__ = ["KeyUnset", "NotRevealed", "Protection", "keys_of", "protection_of"]


@dataclass(frozen=True)
class Protection:
    """What is done to each batch of one institution's rows. `keys` is None where nothing of it is personal."""

    personal: PersonalData
    fates: Mapping[str, Fate]
    undeclared: Undeclared
    keys: Keys | None

    def applied(self, rows: pa.Table) -> pa.Table:
        """The same rows with tokens, nulls and ciphertext in place of what is personal.

        Raises: DeliveryRejected, if a column that nobody marked holds card numbers, or if a personal one is not there.
        """
        with self.withheld():
            rows = _replaced(rows, "_extra", partial(self.undeclared.protected, problems=rows["_problem"]))
            if self.keys is not None:
                rows = _replaced(rows, "_record", partial(_sealed, keys=self.keys))
                for name, fate in self.fates.items():
                    rows = _replaced(rows, name, partial(_protected, fate=fate, keys=self.keys))
            refuse_card_numbers(rows, self.fates, self.personal)
        return rows

    @contextmanager
    def withheld(self) -> Iterator[None]:
        """What an unforeseen error says of a file with personal data is not told: it may quote the file.

        Its kind and the line of code are. Refusals of ours quote nothing that is personal, and pass.
        """
        try:
            yield
        except (DeliveryRejected, OSError):
            raise
        except Exception as error:
            if self.keys is None:
                raise
            raise RuntimeError(f"{_where(error)}; its text is withheld, for it may quote personal data") from None


def protection_of(spec: InstitutionSpec) -> Protection:
    """The protection that the spec asks for, with the key from the environment if it asks for any.

    Raises: KeyUnset.
    """
    personal = spec.personal_data
    keys = keys_of(spec.institution) if personal.is_named else None
    return Protection(personal, fates(spec), Undeclared.of(spec, keys), keys)


def _replaced(rows: pa.Table, name: str, change: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> pa.Table:
    position, before = rows.schema.get_field_index(name), rows[name]
    after = change(before)
    return rows if after is before else rows.set_column(position, rows.schema.field(position), after)


def _protected(column: pa.ChunkedArray, fate: Fate, keys: Keys) -> pa.ChunkedArray:
    if fate == "dropped":
        return pa.chunked_array([pa.nulls(len(column), column.type)])
    return keys.tokens(column) if fate == "token" else column


def _sealed(records: pa.ChunkedArray, keys: Keys) -> pa.ChunkedArray:
    if records.null_count == len(records):
        return records
    sealed = [None if record is None else keys.sealed(record) for record in records.to_pylist()]
    return pa.chunked_array([pa.array(sealed, records.type)])


def _where(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {PurePath(last.filename).name}, line {last.lineno}"
