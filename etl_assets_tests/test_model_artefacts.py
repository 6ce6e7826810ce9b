"""Artefacts that cannot lie: what is loaded is what was saved, or it is refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from etl_assets_tests.model_traffic import INPUTS, normal, same
from models import artefacts
from models.artefacts import ArtefactRefused
from models.scorer import Scorer
from models.training import train


def test_a_loaded_scorer_gives_the_same_scores_as_the_saved_one(scorer: Scorer, tmp_path: Path) -> None:
    rows = normal(1_500, seed=2)
    scorer.save(tmp_path)
    assert same(Scorer.load(tmp_path, INPUTS).score(rows), scorer.score(rows))


def test_an_artefact_is_one_file_of_numbers_and_one_of_words(scorer: Scorer, tmp_path: Path) -> None:
    scorer.save(tmp_path)
    words = json.loads((tmp_path / artefacts.MANIFEST).read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == [artefacts.ARRAYS, artefacts.MANIFEST]
    assert [entry["name"] for entry in words["inputs"]] == [feature.name for feature in INPUTS]
    assert words["seed"] == 7


def test_the_same_rows_and_seed_give_the_same_artefact(tmp_path: Path) -> None:
    rows = normal(900, seed=4)
    hashes = [train(rows, INPUTS, seed=seed).scorer.save(tmp_path / str(n)) for n, seed in enumerate((5, 5, 6))]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("file", [artefacts.ARRAYS, artefacts.MANIFEST])
def test_a_changed_file_is_refused(scorer: Scorer, tmp_path: Path, file: str) -> None:
    scorer.save(tmp_path)
    content = bytearray((tmp_path / file).read_bytes())
    place = content.index(b'"high"') + 1 if file == artefacts.MANIFEST else len(content) - 9
    content[place] ^= 1
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ArtefactRefused, match="content hash"):
        Scorer.load(tmp_path, INPUTS)


def test_an_artefact_changed_together_with_its_manifest_is_refused_by_the_registered_hash(
    scorer: Scorer, tmp_path: Path
) -> None:
    registered = scorer.save(tmp_path)
    train(normal(300, seed=1), INPUTS, seed=8).scorer.save(tmp_path)
    with pytest.raises(ArtefactRefused, match="registered"):
        Scorer.load(tmp_path, INPUTS, registered)


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"\xff"])
def test_an_unreadable_artefact_is_refused(scorer: Scorer, tmp_path: Path, content: bytes | None) -> None:
    scorer.save(tmp_path)
    path = tmp_path / artefacts.MANIFEST
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ArtefactRefused, match="not a readable artefact"):
        Scorer.load(tmp_path)


def test_an_artefact_of_another_format_is_refused(tmp_path: Path) -> None:
    artefacts.write(tmp_path, {"network": np.zeros(3)}, {"format": 99})
    with pytest.raises(ArtefactRefused, match="format 99"):
        Scorer.load(tmp_path)


def test_inputs_in_another_order_are_refused_by_name(scorer: Scorer, tmp_path: Path) -> None:
    scorer.save(tmp_path)
    swapped = (INPUTS[0], INPUTS[2], INPUTS[1], *INPUTS[3:])
    with pytest.raises(ArtefactRefused, match="input 2 of the model is spend_to_mean_30d, of the table count_1d"):
        Scorer.load(tmp_path, swapped)
    with pytest.raises(ArtefactRefused, match=r"inputs \['max_30d'\] that the table lacks"):
        Scorer.load(tmp_path, [feature for feature in INPUTS if feature.name != "max_30d"])
