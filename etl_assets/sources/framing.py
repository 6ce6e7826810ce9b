"""Which lines of a text file come before its records and which after them, and whether the last ones tell the truth.

How lines become records belongs to `csv_reading.py` and `fixed_width.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.institution_lines import Footer, Framed
from etl_assets.institution_spec import Amount
from etl_assets.sources.decoding import Text
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.transforms.values import MONEY, MONEY_DIGITS, amounts, tidy


@dataclass(frozen=True)
class Control:
    """What a footer says of the whole file: `rows` or `total`, as printed on line `line_number`."""

    line_number: int
    name: str
    printed: str


@dataclass(frozen=True)
class Body:
    """The file without its footer, how many lines that had, and what they say."""

    text: Text
    footer_lines: int = 0
    controls: tuple[Control, ...] = ()


def lines_before(text: Text, settings: Framed) -> int:
    """Number of preamble lines. Blank lines within and after it are control lines in any case."""
    if settings.preamble is None:
        return min(settings.preamble_lines, text.line_count)
    pattern, line = re.compile(settings.preamble), 0
    while line < text.line_count and (_is_blank(text, line) or _match(pattern, text, line)):
        line += 1
    return line


def without_footer(text: Text, footer: Footer | None, first_line: int) -> Body:
    """The lines from the start to the last one, not before `first_line`, that is no footer.

    Only what ends the file is a footer: the same line between records is a damaged one, for two files that were
    put one behind the other would else pass as one.

    Raises: DeliveryRejected, if the footer that the settings require is not there, or not all of it.
    """
    if footer is None:
        return Body(text)
    pattern, controls = re.compile(footer.pattern), list[Control]()
    line = last = text.line_count
    while line > first_line:
        line -= 1
        found = _match(pattern, text, line)
        if found is not None:
            last = line
            controls += [Control(line + 1, name, found[name]) for name in footer.controls if found[name] is not None]
        elif not _is_blank(text, line):
            break
    _refuse_cut_off(text, footer, controls, is_missing=last == text.line_count)
    return Body(text.until(last), text.line_count - last, tuple(controls))


def _refuse_cut_off(text: Text, footer: Footer, controls: list[Control], *, is_missing: bool) -> None:
    if is_missing and not footer.required:
        return
    unsaid = [name for name in footer.controls if name not in {control.name for control in controls}]
    if is_missing or unsaid:
        what = "without a footer" if is_missing else f"with a footer that has no {' and no '.join(unsaid)}"
        raise DeliveryRejected(
            f"it ends on line {text.line_count} {what}, as if it was cut off there. Ask for the file again, or correct "
            f"footer.pattern, which is {footer.pattern!r}"
        )


def refuse_unproven(controls: tuple[Control, ...], rows: pa.Table, amount: Amount) -> None:
    """Every control value is what the records give.

    `rows` counts the records as delivered, damaged ones included. `total` is the sum of the amounts that can be
    read, as delivered and at the precision in which it is printed: a file that rounds its total is not wrong.

    Raises: DeliveryRejected, with what was expected and what was found for each that differs.
    """
    problems = [problem for control in controls for problem in _difference(control, rows, amount)]
    if problems:
        raise DeliveryRejected("; ".join(problems) + ". Ask for a complete file")


def _difference(control: Control, rows: pa.Table, amount: Amount) -> Iterator[str]:
    where = f"the footer on line {control.line_number}"
    expected = _values(pa.array([control.printed]), amount)[0].as_py()
    if expected is None:
        yield f"{where} has {control.printed!r} for its {control.name}, which is no number as columns.amount writes it"
    elif control.name == "rows":
        if expected != rows.num_rows:
            yield f"{where} expects {_plain(expected)} records, and the file has {rows.num_rows}"
    else:
        chunks = (_values(chunk, amount) for chunk in rows[amount.source].chunks)
        values = pa.chunked_array(chunks, MONEY)
        found = pc.sum(values).as_py() or Decimal(0)
        if abs(found - expected) * 2 > _unit(control.printed, amount):
            unread = f" without the {values.null_count} that cannot be read" if values.null_count else ""
            yield f"{where} expects a total of {_plain(expected)}, and the amounts sum to {_plain(found)}{unread}"


def _values(text: pa.Array, amount: Amount) -> pa.Array:
    """The numbers as delivered, whatever their sign means for the account."""
    as_delivered = amount.model_copy(update={"sign": "negative_leaves"})
    return amounts(tidy(text), as_delivered, np.full(len(text), MONEY_DIGITS)).values


def _plain(number: Decimal) -> str:
    return f"{number:.{MONEY_DIGITS}f}".rstrip("0").rstrip(".")


def _unit(printed: str, amount: Amount) -> Decimal:
    """The smallest step in which the number is printed."""
    _, mark, fraction = printed.partition(amount.decimal_mark)
    digits = sum(character.isdigit() for character in fraction) if mark else 0
    return Decimal(1).scaleb(-digits)


def _is_blank(text: Text, line: int) -> bool:
    return bool(text.starts[line] == text.ends[line])


def _match(pattern: re.Pattern[str], text: Text, line: int) -> re.Match[str] | None:
    return pattern.fullmatch(text.content[text.starts[line] : text.ends[line]].decode("utf-8", "replace"))
