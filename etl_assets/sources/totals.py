"""What a file or its manifest says of all its records, held against the records.

Where it is said belongs to `framing.py` and `manifests.py`; here only numbers are counted and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_spec import Amount
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.transforms.values import MONEY_DIGITS, amounts, tidy


@dataclass(frozen=True)
class Control:
    """A promise about the whole file: its `rows` or their `total`, as printed in the place that `where` names."""

    where: str
    name: str
    printed: str


class Tally:
    """The records of a file so far: how many, damaged ones included, and the sum of the amounts that can be read."""

    def __init__(self, amount: Amount) -> None:
        self.amount = amount
        self.rows, self.unread, self.total = 0, 0, Decimal(0)

    def add(self, rows: pa.Table) -> None:
        for chunk in rows[self.amount.source].chunks:
            values = as_delivered(chunk, self.amount)
            self.unread += values.null_count
            self.total += pc.sum(values.cast(pa.decimal128(38, MONEY_DIGITS))).as_py() or Decimal(0)
        self.rows += rows.num_rows


def refuse_unproven(controls: Iterable[Control], tally: Tally) -> None:
    """Every control value is what the records give.

    `total` is the sum of the amounts as delivered, at the precision in which it is printed: a file that rounds its
    total is not wrong.

    Raises: DeliveryRejected, with what was expected and what was found for each that differs.
    """
    problems = [problem for control in controls for problem in _difference(control, tally)]
    if problems:
        parts = [*problems[0]]
        for before, quoted, after in problems[1:]:
            parts = [*parts[:-1], f"{parts[-1]}; {before}", quoted, after]
        raise DeliveryRejected(*parts[:-1], f"{parts[-1]}. Ask for a complete file")


def as_delivered(text: pa.Array, amount: Amount) -> pa.Array:
    """The numbers as they are written, whatever their sign means for the account."""
    unsigned = amount.model_copy(update={"sign": "negative_leaves"})
    return amounts(tidy(text), unsigned, np.full(len(text), MONEY_DIGITS)).values


def _difference(control: Control, tally: Tally) -> Iterator[tuple[str, str, str]]:
    """What is wrong, in three parts, of which the second quotes the file."""
    expected = as_delivered(pa.array([control.printed]), tally.amount)[0].as_py()
    if expected is None:
        what = f" for its {control.name}, which is no number as columns.amount writes it"
        yield f"{control.where} has ", repr(control.printed), what
    elif control.name == "rows":
        if expected != tally.rows:
            yield f"{control.where} expects {_plain(expected)} records, and the file has {tally.rows}", "", ""
    elif abs(tally.total - expected) * 2 > _unit(control.printed, tally.amount):
        unread = f" without the {tally.unread} that cannot be read" if tally.unread else ""
        found = f"the amounts sum to {_plain(tally.total)}{unread}"
        yield f"{control.where} expects a total of {_plain(expected)}, and {found}", "", ""


def _plain(number: Decimal) -> str:
    return f"{number:.{MONEY_DIGITS}f}".rstrip("0").rstrip(".")


def _unit(printed: str, amount: Amount) -> Decimal:
    """The smallest step in which the number is printed."""
    _, mark, fraction = printed.partition(amount.decimal_mark)
    digits = sum(character.isdigit() for character in fraction) if mark else 0
    return Decimal(1).scaleb(-digits)
