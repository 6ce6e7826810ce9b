"""Where the secret of the tokens comes from: the environment, or, for the embedded server, a file made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_assets.environment import token_key
from etl_assets.sources.tokens import keys_of
from etl_assets.spec.privacy import KEY_VARIABLE


def test_the_embedded_platform_makes_a_secret_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    made = token_key(tmp_path)
    assert token_key(tmp_path) == made
    assert (tmp_path / "token_key").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv(KEY_VARIABLE, made[KEY_VARIABLE])
    assert keys_of("bank_test").identifier


def test_a_server_of_others_is_given_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    assert token_key(None) == {}


def test_a_secret_that_is_given_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "given")
    assert token_key(tmp_path) == token_key(None) == {KEY_VARIABLE: "given"}
    assert not (tmp_path / "token_key").exists()
