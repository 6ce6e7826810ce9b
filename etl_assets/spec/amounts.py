"""How an institution writes money: marks, signs, symbols, and which of several amounts and currencies counts.

How a text is then read belongs to `transforms/written_numbers.py` and `transforms/money.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from etl_assets.spec.source import Flag, Reader, Source, SourceName, Strict, Title, Value, Values, said_once, text

SYMBOL = re.compile(r"[^\d\s+\-()\u2212.,'\u2019]+\.?")
WRITTEN = ("decimal_mark", "thousands_mark", "negatives", "symbols")
Negative = Literal["leading", "trailing", "parentheses"]
Code = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


def _is_a_symbol(value: str) -> str:
    if not SYMBOL.fullmatch(value):
        raise ValueError("expected a symbol or code such as $, EUR or kr., without digits, spaces, signs and marks")
    return value


Symbol = Annotated[Title, AfterValidator(_is_a_symbol), text(f"^{SYMBOL.pattern}$")]


class DebitCredit(Source):
    """The column that says which way the money goes, for amounts that are written without a sign.

    A negative amount beside such a code may be the reversal of it or only repeat it. It is quarantined, unless
    `negatives_reverse` says that it is the former.
    """

    leaves: Values
    """Codes of rows in which money leaves the account, such as `[D, DR]`."""
    arrives: Values
    """Codes of rows in which money arrives, such as `[C, CR]`. A code in neither list quarantines the row."""
    negatives_reverse: Flag = False
    """`true`: a negative amount reverses what its code says. By default such a row is quarantined."""

    @model_validator(mode="after")
    def codes_differ(self) -> DebitCredit:
        if both := sorted({*self.leaves} & {*self.arrives}):
            raise ValueError(f"expected each code under one of leaves and arrives; found {', '.join(both)} under both")
        return self


class Currency(Strict):
    """One currency for every row (`fixed`), or the column that names it (`source`), by code or as `mapping` says."""

    model_config = ConfigDict(json_schema_extra=said_once("fixed", "source"))

    fixed: Code | None = None
    """The ISO 4217 code of every row, such as `EUR`, where the file does not say it. Give this or `source`."""
    source: SourceName | None = None
    """Title of the column that names the currency of each row. Give this or `fixed`."""
    aliases: tuple[Title, ...] = ()
    """Other titles that the header has had for `source` over the years."""
    mapping: dict[Value, Code] = Field(default_factory=dict)
    """Word of the institution -> ISO 4217 code, such as `Euro: EUR`. What is not listed must be a code itself."""

    @model_validator(mode="after")
    def exactly_one(self) -> Currency:
        if (self.fixed is None) == (self.source is None):
            found = f"{self.fixed!r} and {self.source!r}"
            raise ValueError(f"expected exactly one of `fixed: EUR` or `source: COLUMN`; found {found}")
        if self.source is None and self.aliases:
            raise ValueError("aliases are spellings of a `source`; a fixed currency has none")
        if self.source is None and self.mapping:
            raise ValueError("mapping says what the words of a `source` mean; a fixed currency has none")
        return self

    def readers(self) -> Iterator[Reader]:
        """Each source column that this reads: where below this field, and every spelling of it."""
        if self.source is not None:
            yield (), (self.source, *self.aliases)


class Money(Source):
    """How a column writes money. `sign` says what a positive number in the file means for the account."""

    decimal_mark: Literal[".", ","] = "."
    """What stands before the decimals: `,` in `1.234,56`."""
    thousands_mark: Literal["", ".", ",", " ", "'"] = ""
    """What may stand between groups of three digits: `.` in `1.234,56`. None by default."""
    negatives: Annotated[tuple[Negative, ...], Field(min_length=1)] = ("leading",)
    """How a minus may be written: `leading` is `-5`, `trailing` is `5-`, `parentheses` is `(5)`."""
    symbols: tuple[Symbol, ...] = ()
    """Symbols or codes of the currency that may stand before or after a number, such as `[$, USD]`."""
    sign: Literal["negative_leaves", "positive_leaves"] = "negative_leaves"
    """Whether a negative or a positive number in the file means that money leaves the account."""
    debit_credit: DebitCredit | None = None
    """The column of codes that says which way the money goes, where amounts have no sign. Instead of `sign`."""

    @model_validator(mode="after")
    def the_sign_is_said_once(self) -> Money:
        if self.debit_credit is not None and "sign" in self.model_fields_set:
            raise ValueError("expected either sign or debit_credit: the codes already say which way the money goes")
        return self

    def readers(self) -> Iterator[Reader]:
        """Each source column that this reads: where below this field, and every spelling of it."""
        yield from super().readers()
        if self.debit_credit is not None:
            yield ("debit_credit",), self.debit_credit.spellings


class OtherAmount(Money):
    """The amount of the rows that have none in the first column, in its own `currency` or in that of the row.

    How it is written and what its sign means is as in the first column, unless it says so itself.
    """

    currency: Currency | None = None
    """The currency of this amount, where it is not that of the row."""

    def readers(self) -> Iterator[Reader]:
        """Each source column that this reads: where below this field, and every spelling of it."""
        yield from super().readers()
        if self.currency is not None:
            yield from ((("currency", *place), spellings) for place, spellings in self.currency.readers())


class Amount(Money):
    """Money: what `source` says or, in rows where that is empty, what `otherwise` says."""

    otherwise: OtherAmount | None = None
    """A second amount for rows whose first one is empty, such as the original beside the billed one."""

    @model_validator(mode="after")
    def marks_differ(self) -> Amount:
        written: dict[str, Money | None] = {"": self, "otherwise: ": self.other}
        for where, money in written.items():
            if money is not None and money.decimal_mark == money.thousands_mark:
                both = f"{where}decimal_mark and thousands_mark are both {money.decimal_mark!r}"
                raise ValueError(f"{both}; expected two marks")
        return self

    @property
    def other(self) -> OtherAmount | None:
        """`otherwise`, with what it leaves unsaid taken from this amount."""
        if self.otherwise is None:
            return None
        said = self.otherwise.model_fields_set
        has_sign = bool({"sign", "debit_credit"} & said)
        unsaid = {*WRITTEN, *(() if has_sign else ("sign", "debit_credit"))} - said
        return self.otherwise.model_copy(update={name: getattr(self, name) for name in unsaid})

    def readers(self) -> Iterator[Reader]:
        """Each source column that this reads: where below this field, and every spelling of it."""
        yield from super().readers()
        if self.otherwise is not None:
            yield from ((("otherwise", *place), spellings) for place, spellings in self.otherwise.readers())
