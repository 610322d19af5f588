"""The environment: one frozen, typed object, built at the edge and passed down.

Every error names the variable and says what to do (`ConfigError`, exit status 2).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from urllib.parse import urlsplit

from crmsync.errors import ConfigError

DEFAULT_PUBLIC_URL = "http://127.0.0.1:8000"
_SOCKET_PATH = 100
"""Bytes; Linux takes 107, and Redis adds a suffix while it starts."""

_ADDRESSES = (
    "GOOGLE_ROOT_URL",
    "GOOGLE_AUTH_URL",
    "GOOGLE_TOKEN_URL",
    "GOOGLE_REVOKE_URL",
    "GOOGLE_CERTS_URL",
    "GOOGLE_USERINFO_URL",
    "GMAIL_ROOT_URL",
    "PEOPLE_ROOT_URL",
    "CALENDAR_ROOT_URL",
    "TASKS_ROOT_URL",
)


def _model() -> Any:
    """Return the settings class; pydantic takes 0.2 s to import, so it comes late."""
    from typing import Literal

    from pydantic import Field, SecretStr
    from pydantic_settings import BaseSettings, SettingsConfigDict

    class Environment(BaseSettings):
        model_config = SettingsConfigDict(
            env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
        )

        database_url: str = ""
        database_busy_seconds: float = Field(15, gt=0)
        redis_url: str = ""
        settle_seconds: float = Field(900, ge=0)
        lease_seconds: float = Field(60, gt=0)
        tick_seconds: float = Field(15, gt=0)
        slice_seconds: float = Field(20, gt=0, le=150)
        http_timeout_seconds: float = Field(20, gt=0)
        instance_path: Path = Path("instance")
        attachments_url: str = ""
        secret_key: SecretStr = SecretStr("")
        token_keys: SecretStr = SecretStr("")
        public_url: str = DEFAULT_PUBLIC_URL
        trusted_proxies: int = Field(0, ge=0, le=10)
        google_client_id: str = ""
        google_client_secret: SecretStr = SecretStr("")
        google_root_url: str = ""
        google_auth_url: str = ""
        google_token_url: str = ""
        google_revoke_url: str = ""
        google_certs_url: str = ""
        google_userinfo_url: str = ""
        gmail_root_url: str = ""
        people_root_url: str = ""
        calendar_root_url: str = ""
        tasks_root_url: str = ""
        addon_service_account: str = ""
        addon_oauth_client_ids: str = ""
        addon_audiences: str = ""
        pubsub_topic: str = ""
        pubsub_service_account: str = ""
        crm_backend: Literal["builtin", "infor"] = "builtin"
        infor_sdata_url: str = ""
        infor_sdata_user: str = ""
        infor_sdata_password: SecretStr = SecretStr("")
        smtp_url: SecretStr = SecretStr("")
        mail_from: str = ""

    return Environment


class Config:
    """The configuration of one process; see docs/configuration.md for each variable."""

    def __init__(self, values: Any) -> None:
        """Wrap checked values; use `load_config`."""
        self._values = values
        self.instance_path: Path = values.instance_path.resolve()

    def store_url(self) -> str:
        """Return where the files of recorded messages are kept."""
        given = str(self._values.attachments_url)
        return given or (self.instance_path / "attachments").as_uri()

    def __getattr__(self, name: str) -> Any:
        """Return a variable by its lower-case name."""
        return getattr(self._values, name)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the database."""
        given: str = self._values.database_url
        return given or f"sqlite:///{self.instance_path / 'crm-sync.db'}"

    @property
    def has_own_redis(self) -> bool:
        """Whether REDIS_URL names a Redis; else the embedded one is meant."""
        return bool(self._values.redis_url)

    @property
    def redis_url(self) -> str:
        """URL of Redis; without one, that of the embedded server (decision 9)."""
        given: str = self._values.redis_url
        return given or f"unix://{self.redis_socket}"

    @property
    def redis_socket(self) -> Path:
        """Where the embedded Redis listens.

        A socket's path of more than 107 bytes is cut silently, so a long instance path
        gets a short folder of its own.
        """
        near = self.instance_path / "redis" / "redis.sock"
        if len(os.fsencode(near)) <= _SOCKET_PATH:
            return near
        name = blake2b(os.fsencode(self.instance_path), digest_size=6).hexdigest()
        return Path(gettempdir()) / f"crm-sync-{os.getuid()}-{name}" / "redis.sock"

    @property
    def redirect_uri(self) -> str:
        """The redirect URI to register with Google."""
        return f"{self._values.public_url.rstrip('/')}/oauth/callback"

    def token_keys(self) -> list[str]:
        """Return the Fernet keys; the first encrypts, all decrypt.

        Raises:
            ConfigError: if a key is not one.
        """
        given = self._values.token_keys.get_secret_value()
        text = given or self._kept_secret("token-keys", _new_fernet_key)
        keys = [key.strip() for key in text.split(",") if key.strip()]
        _check_fernet(keys)
        return keys

    def secret_key(self) -> str:
        """Return the key that signs web sessions."""
        given: str = self._values.secret_key.get_secret_value()
        return given or self._kept_secret("secret-key", lambda: secrets.token_hex(32))

    def _kept_secret(self, name: str, make: Any) -> str:
        """Return a secret generated into the instance folder, mode 600."""
        path = self.instance_path / name
        try:
            return path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            pass
        self.make_instance()
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text(encoding="ascii").strip()
        with os.fdopen(handle, "w", encoding="ascii") as file:
            value: str = make()
            file.write(value)
        return value

    def make_instance(self) -> None:
        """Create the instance folder.

        Raises:
            ConfigError: if it cannot be made or written.
        """
        try:
            self.instance_path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(
                f"INSTANCE_PATH: the folder {self.instance_path} cannot be made "
                f"({error.strerror}). Choose a folder that this user may write."
            ) from None
        if not os.access(self.instance_path, os.W_OK):
            raise ConfigError(
                f"INSTANCE_PATH: the folder {self.instance_path} cannot be written. "
                "Choose a folder that this user may write."
            )

    def google_addresses(self) -> Mapping[str, str]:
        """Return the Google addresses that were given, by lower-case variable."""
        names = [name.lower() for name in _ADDRESSES]
        return {name: url for name in names if (url := getattr(self._values, name))}


def _new_fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _check_fernet(keys: list[str]) -> None:
    from cryptography.fernet import Fernet

    for number, key in enumerate(keys, 1):
        try:
            Fernet(key.encode())
        except ValueError:
            raise ConfigError(
                f"TOKEN_KEYS: key {number} is not a Fernet key. Make one with: "
                'python -c "from cryptography.fernet import Fernet; '
                'print(Fernet.generate_key().decode())"'
            ) from None
    if not keys:
        raise ConfigError("TOKEN_KEYS holds no key. Give at least one Fernet key.")


def load_config(overrides: Mapping[str, Any] | None = None) -> Config:
    """Read the environment and `.env`.

    Args:
        overrides: values by lower-case variable that count more than both.

    Raises:
        ConfigError: one sentence with the variable's name.
    """
    from pydantic import ValidationError

    try:
        values = _model()(**(overrides or {}))
    except ValidationError as error:
        raise ConfigError(_sentence(error.errors())) from None
    _check_addresses(values)
    return Config(values)


def _sentence(errors: Any) -> str:
    first = errors[0]
    name = "_".join(str(part) for part in first["loc"]).upper()
    return f"{name} is not usable: {first['msg']} (it is {first['input']!r})."


def _check_addresses(values: Any) -> None:
    for name in (*_ADDRESSES, "PUBLIC_URL", "INFOR_SDATA_URL"):
        url = getattr(values, name.lower())
        if not url:
            continue
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(
                f"{name} is not a web address: {url!r}. "
                "It begins with http:// or https:// and names a host."
            )
    if bool(values.google_client_id) != bool(
        values.google_client_secret.get_secret_value()
    ):
        missing = "SECRET" if values.google_client_id else "ID"
        raise ConfigError(
            f"GOOGLE_CLIENT_{missing} is missing: "
            "the client's id and its secret are given together or not at all."
        )
