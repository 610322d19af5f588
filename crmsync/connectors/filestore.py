"""Files by their content, on a disk or in any store that fsspec knows (MAIL-14)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any
from uuid import uuid4

from crmsync.errors import ConfigError, NotFound, ProviderDown

_SHAPE = 64
"""Letters of a SHA-256."""


class FsspecStore:
    """Bytes by their SHA-256, below one URL.

    Bytes are written beside their place and moved there: what has a name is whole.
    """

    def __init__(self, url: str):
        """Open a store; nothing is written.

        Args:
            url: any that fsspec takes, e.g. `file:///srv/files` or `s3://bucket/crm`.

        Raises:
            ConfigError: if there is no such kind of store here.
        """
        import fsspec

        try:
            self._fs, self._root = fsspec.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"ATTACHMENTS_URL can not be used: {error}.") from error

    def put(self, digest: str, data: bytes) -> bool:
        path = self._path(digest)
        try:
            if self._fs.exists(path):
                return False
            folder = path.rpartition("/")[0]
            self._fs.makedirs(folder, exist_ok=True)
            draft = f"{path}.{uuid4().hex}.part"
            self._fs.pipe_file(draft, data)
            self._fs.mv(draft, path)
        except OSError as error:
            raise _down(error) from error
        return True

    def get(self, digest: str) -> bytes:
        try:
            data: bytes = self._fs.cat_file(self._path(digest))
        except FileNotFoundError as error:
            raise NotFound("The file is not in the store.") from error
        except OSError as error:
            raise _down(error) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise NotFound("The file in the store is damaged.")
        return data

    def missing(self, digests: Collection[str]) -> Mapping[str, bool]:
        try:
            return {d: not self._fs.exists(self._path(d)) for d in sorted(set(digests))}
        except OSError as error:
            raise _down(error) from error

    def _path(self, digest: str) -> str:
        if len(digest) != _SHAPE or not digest.isalnum():
            raise NotFound("There is no such file.")
        return f"{self._root}/{digest[:2]}/{digest[2:]}"


def _down(error: OSError) -> Any:
    return ProviderDown(f"The store of attachments does not answer: {error.strerror}.")
