"""`deploy/new-env` writes the variables that docker-compose.yml needs, once."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from local.environment import read_dotenv

ROOT = Path(__file__).resolve().parents[3]
SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY", "TOKEN_SIGNING_KEY")


@pytest.fixture
def new_env(tmp_path):
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "new-env", tmp_path / "deploy")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([script, *arguments], capture_output=True, text=True)

    return run


def written(tmp_path):
    return read_dotenv(tmp_path / ".env")


def test_secrets_are_long_different_and_need_no_quoting_in_a_url(new_env, tmp_path):
    assert new_env().returncode == 0
    secrets = [written(tmp_path)[name] for name in SECRETS]
    assert len(set(secrets)) == 4
    assert all(len(secret) == 64 for secret in secrets)
    assert all(secret.replace("-", "").replace("_", "").isalnum() for secret in secrets)


def test_only_the_owner_can_read_the_file(new_env, tmp_path):
    new_env()
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


def test_without_an_address_https_is_off(new_env, tmp_path):
    new_env()
    found = written(tmp_path)
    assert (found["HTTPS"], found["TRUSTED_PROXIES"]) == ("false", "1")
    assert found["ALLOWED_HOSTS"] == "localhost,127.0.0.1"


def test_a_host_name_means_https_and_one_more_proxy(new_env, tmp_path):
    new_env("https://space.example/")
    found = written(tmp_path)
    assert (found["HTTPS"], found["TRUSTED_PROXIES"]) == ("true", "2")
    assert (found["PUBLIC_URL"], found["ALLOWED_HOSTS"]) == (
        "https://space.example",
        "space.example",
    )


def test_existing_secrets_stay(new_env, tmp_path):
    new_env()
    before = written(tmp_path)
    assert new_env().returncode != 0
    assert written(tmp_path) == before


@pytest.mark.parametrize(
    "url", ["http://space.example", "https://", "https://a b", "space.example"]
)
def test_an_invalid_address_writes_nothing(new_env, tmp_path, url):
    assert new_env(url).returncode == 2
    assert not (tmp_path / ".env").exists()
