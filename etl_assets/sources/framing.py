"""Which lines of a text file come before its records, which after them, and what the last ones say.

How lines become records belongs to `csv_reading.py` and `fixed_width.py`, whether it is true to `totals.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from etl_assets.sources.decoding import Text
from etl_assets.sources.layout import DeliveryRejected
from etl_assets.sources.totals import Control
from etl_assets.spec.lines import Footer, Framed


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
            where = f"the footer on line {text.first_line + line + 1}"
            controls += [Control(where, name, found[name]) for name in footer.controls if found[name] is not None]
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
            f"it ends on line {text.first_line + text.line_count} {what}, as if it was cut off there. Ask for the file "
            f"again, or correct footer.pattern, which is {footer.pattern!r}"
        )


def _is_blank(text: Text, line: int) -> bool:
    return bool(text.starts[line] == text.ends[line])


def _match(pattern: re.Pattern[str], text: Text, line: int) -> re.Match[str] | None:
    return pattern.fullmatch(text.content[text.starts[line] : text.ends[line]].decode("utf-8", "replace"))
