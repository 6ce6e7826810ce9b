"""What a person reads who has made a mistake in a YAML: the path to it, what was expected, what was found, the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_assets.institution_spec import load_spec
from etl_assets_tests.spec_files import refusal

FILE = """\
institution: my_bank
description: A bank.
owners: [team:payments]
start_date: 2026-03-02
time_zone: Europe/Berlin
deliveries:
  folder: deliveries
  file_name: 'tx_(?P<business_date>[0-9]{8}).csv'
columns:
  event_at:
    source: at
  amount: { source: amount }
  currency: { fixed: EUR }
  channel:
    source: kind
    mapping:
      POS: card_present
row_rules:
  - { name: amount_is_there, column: amount, required: true }
  - name: amount_is_plausible
    column: amount
    minimum: -50000
"""
FIELDS = "expected fields of its own"
MOMENT = "expected a moment without a timezone, as in 2017-01-01 or 2017-01-01T06:00:00"
FACTS = "'file', 'rows', 'total', 'size_bytes', 'sha256' or 'md5'"
MISTAKES = [
    # what stands in the file, what instead, what is said
    ("2026-03-02", "20260302", "start_date: expected a day as in 2026-03-02; found 20260302 (line 4)"),
    ("2026-03-02", "02.03.2026", "start_date: expected a day as in 2026-03-02; found '02.03.2026' (line 4)"),
    (
        "2026-03-02",
        "2026-02-30",
        (
            "start_date: expected a day of the calendar, as in 2026-03-02: day value is outside expected range; "
            "found '2026-02-30' (line 4)"
        ),
    ),
    (
        "[team:payments]",
        "team:payments",
        "owners: expected a list; found 'team:payments': write ['team:payments'] (line 3)",
    ),
    ("A bank.", "", "description: expected text; found nothing (line 2)"),
    ("A bank.", "4711", "description: expected text; found 4711: put it in quotes (line 2)"),
    ("  folder: deliveries\n", "", "deliveries.folder: expected a value; it is missing (line 6)"),
    ("time_zone: Europe/Berlin\n", "", "time_zone: expected a value; it is missing"),
    (
        "folder: deliveries",
        "folder: x\n  excel: Data",
        f"deliveries.excel: {FIELDS}; found 'Data': write {{sheet: Data}} (line 8)",
    ),
    (
        "folder: deliveries",
        "folder: x\n  manifest: '{name}.json'",
        f"deliveries.manifest: {FIELDS}; found '{{name}}.json': write {{name: '{{name}}.json'}} (line 8)",
    ),
    (
        "folder: deliveries",
        "folder: x\n  manifest:\n    name: '{day}.json'",
        (
            "deliveries.manifest.name: it asks for ['day']; expected name, stem or a group of file_name: business_date"
            "; found '{day}.json' (line 9)"
        ),
    ),
    (
        "folder: deliveries",
        "folder: x\n  manifest:\n    name: '{name}.json'\n    fields: { count: n }",
        f"deliveries.manifest.fields: key 'count': expected {FACTS} (line 10)",
    ),
    (
        "folder: deliveries",
        "folder: x\n  manifest:\n    name: '{name}.json'\n    fields: [rows]",
        "deliveries.manifest.fields: expected `name: value` pairs; found ['rows'] (line 10)",
    ),
    (
        "folder: deliveries",
        "folder: x\n  csv:\n    separator: no",
        (
            "deliveries.csv.separator: expected text; found False: put it in quotes, since YAML reads no, NO and off "
            "as false (line 9)"
        ),
    ),
    (
        "folder: deliveries",
        "folder: x\n  settle_s: 1 minute",
        "deliveries.settle_s: expected a whole number; found '1 minute' (line 8)",
    ),
    (
        "folder: deliveries",
        "folder: x\n  settle_s: true",
        "deliveries.settle_s: expected a whole number; found True (line 8)",
    ),
    (
        "folder: deliveries",
        "folder: x\n  fixed_width:\n    columns:\n    - {name: a, start: one, width: 1.5}",
        (
            "deliveries.fixed_width.columns.0.start: expected a whole number; found 'one' (line 10)\n"
            "deliveries.fixed_width.columns.0.width: expected a whole number; found 1.5 (line 10)"
        ),
    ),
    (
        "source: at",
        "source: at\n    followed_by: time",
        "columns.event_at.followed_by: expected a list; found 'time': write [time] (line 12)",
    ),
    (
        "source: at",
        "source: at\n    followed_by:\n    - time\n    - 1",
        "columns.event_at.followed_by.1: expected a title, in quotes; found 1 (line 14)",
    ),
    (
        "source: at",
        "source: at\n    followed_by:\n    - time\n    - source: zone\n      aliases: tz",
        "columns.event_at.followed_by.1.aliases: expected a list; found 'tz': write [tz] (line 15)",
    ),
    (
        "source: at",
        "source: at\n    formats: '%d.%m.%Y %H:%M'",
        "columns.event_at.formats: expected a list; found '%d.%m.%Y %H:%M': write ['%d.%m.%Y %H:%M'] (line 12)",
    ),
    (
        "source: at",
        "source: at\n    formats: [DD.MM.YYYY]",
        (
            "columns.event_at.formats.0: expected strptime codes for year, month and day, as in %d.%m.%Y %H:%M:%S; "
            "found 'DD.MM.YYYY' (line 12)"
        ),
    ),
    (
        "source: at",
        "source: at\n    steps: { origin: 20170101, unit: hour }",
        f"columns.event_at.steps.origin: {MOMENT}; found 20170101 (line 12)",
    ),
    (
        "{ fixed: EUR }",
        "EUR",
        f"columns.currency: {FIELDS}; found 'EUR': its fields are fixed, source, aliases, mapping (line 13)",
    ),
    (
        "{ source: amount }",
        "\n    source: amount\n    otherwise: original",
        f"columns.amount.otherwise: {FIELDS}; found 'original': write {{source: original}} (line 14)",
    ),
    (
        "POS: card_present",
        "SEPA: transfer\n      NO: none",
        (
            "columns.channel.mapping: key False: expected text: put it in quotes, since YAML reads no, NO and off as "
            "false (line 16)"
        ),
    ),
    (
        "POS: card_present",
        "POS:",
        "columns.channel.mapping.POS: expected text; found nothing (line 17)",
    ),
    ("channel:", "chanel:", "columns.chanel: unknown field; did you mean `channel`? (line 14)"),
    (
        "-50000",
        "-50,000",
        "row_rules.1.minimum: expected a number; found '-50,000' (line 22)",
    ),
    (
        "-50000",
        "0\n    allowed: EUR",
        "row_rules.1.allowed: expected a list; found 'EUR': write [EUR] (line 23)",
    ),
    (
        "-50000",
        "0\n    reference: mcc.csv",
        f"row_rules.1.reference: {FIELDS}; found 'mcc.csv': its fields are file, column (line 23)",
    ),
    (
        "required: true }",
        "holds: amount > 0 }",
        "row_rules.0: holds names its columns itself; expected it alone, or a rule of its own for column (line 19)",
    ),
    (
        "required: true }",
        "required: maybe }",
        "row_rules.0.required: expected true or false; found 'maybe' (line 19)",
    ),
    ("-50000", "0\nkey: channel", "key: expected a list; found 'channel': write [channel] (line 23)"),
    (
        "-50000",
        "0\nkey: [kind]",
        "key.0: expected a column that `columns` maps: event_at, amount, currency, channel; found 'kind' (line 23)",
    ),
    ("-50000", "0\n1: x", "1: expected text as the name of a field; found 1 (line 23)"),
    ("-50000", "0\nlabels: {}", "labels.source: expected a value; it is missing (line 23)"),
]


@pytest.mark.parametrize(("found", "instead", "said"), MISTAKES, ids=[said[:60] for _, _, said in MISTAKES])
def test_a_mistake_is_said_with_path_expectation_find_and_line(
    tmp_path: Path, found: str, instead: str, said: str
) -> None:
    assert FILE.count(found) == 1
    lines = refusal(tmp_path, FILE.replace(found, instead)).splitlines()
    assert [line.strip() for line in lines[1:]] == said.splitlines()


def test_the_file_that_the_mistakes_are_made_in_is_right(tmp_path: Path) -> None:
    (tmp_path / "bank.yaml").write_text(FILE)
    assert load_spec(tmp_path / "bank.yaml").institution == "my_bank"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: b: c\n", "mapping values are not allowed here, in line 1, column 5"),
        ("a: [1, 2\nb: 3\n", "while parsing a flow sequence of line 1: expected ',' or ']', but got ':', in line 2, "),
        ("a: 1\n\ta: 2\n", "found character '\\t' that cannot start any token, in line 2, column 1"),
    ],
)
def test_what_is_no_yaml_is_refused_in_one_line_with_line_and_column(tmp_path: Path, content: str, said: str) -> None:
    message = refusal(tmp_path, content)
    assert message.startswith(f" expected a readable YAML file: {said}")
    assert len(message.splitlines()) == 1


def test_what_an_anchor_brings_in_has_the_line_of_the_anchor_and_what_is_said_anew_its_own(tmp_path: Path) -> None:
    rules = "- &a\n  name: a\n  column: amount\n  minimum: low\n- <<: *a\n  name: B\n"
    before, _ = FILE.split("  - {")
    lines = [line.strip() for line in refusal(tmp_path, before + rules).splitlines()[1:]]
    assert lines == [
        "row_rules.0.minimum: expected a number; found 'low' (line 22)",
        "row_rules.1.name: expected text that matches ^[a-z][a-z0-9_]{0,47}$; found 'B' (line 24)",
        "row_rules.1.minimum: expected a number; found 'low' (line 22)",
    ]
