"""The signing keys of ID tokens: RS256, published as PEM certificates and as JWKS."""

from __future__ import annotations

import base64
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from sandbox.messages import Json
from sandbox.store import Store

KIND = "signingKey"


class Keys:
    """Made at first use, kept in the store so that a restart keeps tokens valid."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        stored = sorted(store.load(KIND), key=lambda row: row[2]["made"])
        self._keys: dict[str, Json] = {kid: doc for _, kid, doc in stored}
        self._loaded: dict[str, Any] = {}

    def certificates(self) -> dict[str, str]:
        """{kid: certificate}, the form of /oauth2/v1/certs."""
        return {kid: doc["certificate"] for kid, doc in self._all().items()}

    def jwks(self) -> Json:
        return {"keys": [doc["jwk"] for doc in self._all().values()]}

    def rotate(self) -> str:
        """A new key signs from now on; the old ones stay published."""
        with self._lock:
            return self._make()

    def sign(self, claims: Json) -> str:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding, rsa

        kid, doc = list(self._all().items())[-1]
        key = self._loaded.get(kid)
        if key is None:
            key = serialization.load_pem_private_key(doc["private"].encode(), None)
            self._loaded[kid] = key
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("a signing key is no RSA key")
        header = {"alg": "RS256", "kid": kid, "typ": "JWT"}
        text = b64(orjson.dumps(header)) + "." + b64(orjson.dumps(claims))
        signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{b64(signature)}"

    def verify(self, kid: str, text: str) -> bool:
        """Whether a token carries our own signature."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.x509 import load_pem_x509_certificate

        pem = self._keys[kid]["certificate"].encode()
        key = load_pem_x509_certificate(pem).public_key()
        signed, _, signature = text.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        try:
            key.verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def _all(self) -> dict[str, Json]:
        with self._lock:
            if not self._keys:
                self._make()
            return dict(self._keys)

    def _make(self) -> str:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        name = x509.Name(
            [x509.NameAttribute(x509.NameOID.COMMON_NAME, "sandbox.example")]
        )
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - timedelta(days=1))
            .not_valid_after(datetime.now(UTC) + timedelta(days=3650))
            .sign(key, hashes.SHA256())
        )
        kid = certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - a name, not a protection
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        numbers = key.public_key().public_numbers()
        document = {
            "certificate": certificate.public_bytes(
                serialization.Encoding.PEM
            ).decode(),
            "private": private.decode(),
            "made": time.time(),
            "jwk": {
                "kty": "RSA",
                "alg": "RS256",
                "use": "sig",
                "kid": kid,
                "n": b64(numbers.n.to_bytes(256, "big")),
                "e": b64(numbers.e.to_bytes(3, "big")),
            },
        }
        self._store.put([(KIND, "", kid, document)])
        self._keys[kid] = document
        return kid


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
