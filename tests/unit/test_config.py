"""The environment: a wrong value is one sentence with the variable's name, exit 2."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from crmsync.config import load_config
from crmsync.errors import ConfigError


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "DATABASE", "TOKEN_", "INSTANCE", "PUBLIC_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_configuration(tmp_path: Path) -> None:
    config = load_config()

    assert config.database_url == f"sqlite:///{tmp_path / 'instance' / 'crm-sync.db'}"
    assert config.redirect_uri == "http://127.0.0.1:8000/oauth/callback"
    assert (config.lease_seconds, config.settle_seconds) == (60, 900)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_SECONDS", "soon"),
        ("LEASE_SECONDS", "0"),
        ("SETTLE_SECONDS", "-1"),
        ("HTTP_TIMEOUT_SECONDS", "∞"),
        ("CRM_BACKEND", "salesforce"),
        ("GOOGLE_ROOT_URL", "ftp://x"),
        ("GOOGLE_ROOT_URL", "http:///nohost"),
        ("PEOPLE_ROOT_URL", "people"),
        ("PUBLIC_URL", "8000"),
        ("GOOGLE_CLIENT_ID", "only-the-id"),
    ],
)
def test_a_wrong_value_names_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    expected = "GOOGLE_CLIENT_SECRET" if name == "GOOGLE_CLIENT_ID" else name

    with pytest.raises(ConfigError) as error:
        load_config()

    assert expected in error.value.message
    assert "\n" not in error.value.message


@pytest.mark.rule("AUTH-6")
def test_secrets_are_generated_once_with_mode_600(tmp_path: Path) -> None:
    keys = load_config().token_keys()

    path = tmp_path / "instance" / "token-keys"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_config().token_keys() == keys
    assert load_config().secret_key() == load_config().secret_key()


@pytest.mark.rule("AUTH-6")
def test_a_wrong_token_key_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TOKEN_KEYS", "not-a-key")

    with pytest.raises(ConfigError) as error:
        load_config().token_keys()

    assert "TOKEN_KEYS" in error.value.message
    assert "not-a-key" not in error.value.message


def test_a_file_env_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LEASE_SECONDS=7\n")

    assert load_config().lease_seconds == 7


def test_the_command_ends_with_status_2_and_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webapp", "user", "list"],
        env={**os.environ, "LEASE_SECONDS": "soon", "PYTHONPATH": os.getcwd()},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr.startswith("Error: LEASE_SECONDS")
    assert len(done.stderr.strip().splitlines()) == 1
