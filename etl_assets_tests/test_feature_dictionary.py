"""The dictionary says of every feature what it is and who gets it, and the document says the same."""

from __future__ import annotations

from pathlib import Path

from etl_assets.feature_dictionary import LACKS, document
from etl_assets.feature_groups import FEATURES, NEEDS, dictionary, groups, supported

DOCUMENT = Path(__file__).parents[1] / "docs" / "features.md"


def test_the_document_is_current() -> None:
    mend = "python -m etl_assets.feature_dictionary > docs/features.md"
    assert DOCUMENT.read_text(encoding="utf-8") == document(), mend


def test_every_feature_has_a_name_of_its_own_and_a_sentence() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES)
    for row in dictionary():
        assert all(row.values())
        assert row["description"].endswith(".")


def test_every_need_is_one_that_a_source_may_lack_and_costs_it_features() -> None:
    assert tuple(LACKS) == NEEDS
    for need in NEEDS:
        rest = supported([other for other in NEEDS if other != need])
        assert len(rest) < len(FEATURES)
        assert not any(need in feature.needs for feature in rest)


def test_a_source_without_labels_loses_the_two_groups_of_fraud_and_nothing_else() -> None:
    rest = groups(supported([need for need in NEEDS if need != "labels"]))
    everything = groups(FEATURES)
    assert set(everything) - set(rest) == {"account_fraud", "counterparty_fraud"}
    assert {group: everything[group] for group in rest} == rest
