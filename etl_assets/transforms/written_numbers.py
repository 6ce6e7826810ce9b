"""Numbers as institutions write them -> plain digits with a sign, by the declared dialect and nothing else.

Text in, text out: how many digits a currency has and what a sign means for the account is said in `values.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from etl_assets.spec.columns import Money

SPACE = "[ \u00a0\u202f]"
MARKS = {"": "", ".": r"\.", ",": ",", " ": SPACE, "'": "['\u2019]"}
NO_TEXT = pa.scalar(None, pa.string())


def plain_numbers(text: pa.Array, dialect: Money) -> pa.Array:
    """Each text as `-1234.56`; null where it is no number, or one that the dialect does not write.

    Most files have plain numbers only, so that the many forms of the others are looked for in what is left of them.
    A space and an apostrophe stand for the typographic ones too: nobody can tell them apart in a YAML file.
    """
    is_plain = pc.match_substring_regex(text, _plain_pattern(dialect))
    plain = _without_marks(text if pc.all(is_plain).as_py() else pc.if_else(is_plain, text, NO_TEXT), dialect)
    if plain.null_count == text.null_count or not _is_decorated(dialect):
        return plain
    return pc.coalesce(plain, _undecorated(text, dialect))


def _is_decorated(dialect: Money) -> bool:
    return bool(dialect.symbols) or dialect.negatives != ("leading",)


def _without_marks(text: pa.Array, dialect: Money) -> pa.Array:
    mark = dialect.thousands_mark
    if mark:
        is_one_byte = MARKS[mark] in {",", r"\."}
        text = (
            pc.replace_substring(text, mark, "") if is_one_byte else pc.replace_substring_regex(text, MARKS[mark], "")
        )
    return text if dialect.decimal_mark == "." else pc.replace_substring(text, dialect.decimal_mark, ".")


def _undecorated(text: pa.Array, dialect: Money) -> pa.Array:
    found = pc.if_else(pc.match_substring_regex(text, _decorated_pattern(dialect)), text, NO_TEXT)
    is_negative = pc.match_substring_regex(found, r"[-(]")
    if dialect.symbols:
        found = pc.replace_substring_regex(found, _one_of(dialect.symbols), "")
    digits = pc.replace_substring_regex(found, f"[^0-9{MARKS[dialect.decimal_mark]}]", "")
    plain = digits if dialect.decimal_mark == "." else pc.replace_substring(digits, dialect.decimal_mark, ".")
    return pc.if_else(is_negative, pc.binary_join_element_wise("-", plain, ""), plain)


def _whole(dialect: Money) -> str:
    thousands = MARKS[dialect.thousands_mark]
    grouped = rf"[0-9]{{1,3}}(?:{thousands}[0-9]{{3}})+|" if thousands else ""
    return rf"(?:{grouped}[0-9]+)(?:{MARKS[dialect.decimal_mark]}[0-9]+)?"


def _bare_fraction(dialect: Money) -> str:
    return f"{MARKS[dialect.decimal_mark]}[0-9]+"


def _plain_pattern(dialect: Money) -> str:
    sign = "[+-]?" if "leading" in dialect.negatives else ""
    return rf"\A{sign}(?:{_whole(dialect)}|{_bare_fraction(dialect)})\z"


def _decorated_pattern(dialect: Money) -> str:
    return rf"\A(?:{'|'.join(_forms(dialect))})\z"


def _forms(dialect: Money) -> Iterator[str]:
    """A number with at most one sign and at most one symbol, each in the places where people write them."""
    number = f"(?:{_whole(dialect)}|{_bare_fraction(dialect)})"
    bodies = [number, *_beside_a_symbol(dialect, number)]
    symbol = _one_of(dialect.symbols) if dialect.symbols else None
    yield from bodies
    if "leading" in dialect.negatives:
        yield from (f"[+-]{body}" for body in bodies)
        yield from (f"{symbol}{SPACE}?[+-]{number}",) if symbol else ()
    if "trailing" in dialect.negatives:
        yield from (f"{body}[+-]" for body in bodies)
        yield from (f"{number}[+-]{SPACE}?{symbol}",) if symbol else ()
    if "parentheses" in dialect.negatives:
        yield from (rf"\({body}\)" for body in bodies)
        yield from (rf"{symbol}{SPACE}?\({number}\)", rf"\({number}\){SPACE}?{symbol}") if symbol else ()


def _beside_a_symbol(dialect: Money, number: str) -> Iterator[str]:
    """`$.50` is half a dollar, but `Rs.50` is fifty rupees: only a sign of a currency stands before a bare fraction."""
    if not dialect.symbols:
        return
    yield f"{_one_of(dialect.symbols)}{SPACE}?(?:{_whole(dialect)})"
    signs = tuple(symbol for symbol in dialect.symbols if unicodedata.category(symbol[-1]) == "Sc")
    if signs:
        yield f"{_one_of(signs)}{SPACE}?{_bare_fraction(dialect)}"
    yield f"{number}{SPACE}?{_one_of(dialect.symbols)}"


def _one_of(symbols: tuple[str, ...]) -> str:
    """The longest first, so that of `US$` no `US` is left."""
    return f"(?:{'|'.join(re.escape(symbol) for symbol in sorted(symbols, key=len, reverse=True))})"
