"""What must become of each third-party delivery, in numbers that were counted outside the platform."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class Account(NamedTuple):
    """What the row account must say of a file; one line of each is its header."""

    published: int
    amount: str
    duplicate: int = 0
    invalid: int = 0
    control_lines: int = 1

    @property
    def of_the_platform(self) -> tuple[object, ...]:
        records = (self.published, self.invalid, self.duplicate, 0, self.control_lines)
        return (sum(records), *records, Decimal(self.amount))


IBM = {
    2002: Account(329, "-27891.46"),
    2003: Account(1_074, "-92455.88"),
    2004: Account(1_176, "-94781.87"),
    2005: Account(1_127, "-92019.91"),
    2006: Account(1_120, "-91881.24"),
    2007: Account(1_111, "-93494.81"),
    2008: Account(1_163, "-96205.96"),
    2009: Account(1_119, "-91329.85"),
    2010: Account(1_123, "-88466.05"),
    2011: Account(1_113, "-89240.00"),
    2012: Account(1_169, "-99227.18"),
    2013: Account(1_139, "-95969.04"),
    2014: Account(1_183, "-94228.85"),
    2015: Account(1_182, "-93923.97"),
    2016: Account(1_119, "-90046.77"),
    2017: Account(1_180, "-92938.24"),
    2018: Account(1_190, "-90555.05"),
    2019: Account(1_164, "-94812.54"),
    2020: Account(182, "-13523.02"),
}
TRAFFORD = "government_procurement_card_transactions_2026-27"
APRIL = "purchasecardtransactionsapril2014.xls"
AUGUST = "20170907_cusersfinainmndesktoppublish-spend-august-2017-all-directorates.xls"
EXPECTED = {
    "leeds": {
        "2011-01.raw.csv": Account(8_837, "-65483945.63"),
        "2013-12.raw.csv": Account(9_574, "-104758470.89", control_lines=2),
    },
    "oxford": {
        "procurement-card-spending-jan-mar-2017.csv": Account(1_141, "-178660.96"),
        "procurement-card-spending-apr-jun-2017.csv": Account(653, "-105969.44"),
        "procurement-card-spending-july-2017.csv": Account(284, "-30123.08"),
    },
    "trafford": {
        f"{TRAFFORD}_20260601.csv": Account(2_024, "-494906.66"),
        f"{TRAFFORD}_20260701.csv": Account(0, "0", duplicate=2_024),
    },
    "birmingham": {
        f"20140507_{APRIL}": Account(2_690, "-526760.25"),
        "20170105_publish-spend-december-2016.xls": Account(3_002, "-503670.76"),
        AUGUST: Account(2_306, "-905017.59"),
    },
    "sparkov": {
        "adults_50up_female_rural_2019.csv": Account(784, "-51438.89"),
        "adults_50up_female_rural_2020.csv": Account(308, "-18737.81"),
    },
    "ibm": {f"User0_credit_card_transactions_{year}.csv": account for year, account in IBM.items()},
    "amlsim": {"tx_20170219.csv": Account(45, "-6745.69"), "cash_tx_20170219.csv": Account(88, "-3782.53")},
}
HEADER, RULE = "the_header_is_as_before", "no_row_breaks_a_rule_that_warns"
# Titles that really changed, and payments that really were declined. Nothing else may be warned of.
WARNED = {
    "leeds": {(HEADER, "2013-12-31")},
    "oxford": {(HEADER, "2017-06-30")},
    "trafford": set(),
    "birmingham": {(HEADER, "2017-01-05"), (HEADER, "2017-09-07")},
    "sparkov": set(),
    "ibm": {(RULE, f"{year}-12-31") for year in IBM},
    "amlsim": {(HEADER, "2017-02-19")},
}
