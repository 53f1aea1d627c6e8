"""The key that signs every JWT of this process's emulators, made on first use and never written anywhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def _process_key() -> rsa.RSAPrivateKey:
    # Half a second of arithmetic: an emulator that begins anew need not repeat it.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(slots=True)
class Signer:
    """Signs claims, publishes the public half, and verifies what it signed."""

    _key: rsa.RSAPrivateKey | None = field(default=None, repr=False)

    @property
    def key(self) -> rsa.RSAPrivateKey:
        """The private key."""
        return self._key or _process_key()

    @property
    def key_id(self) -> str:
        """The `kid`: a digest of the public modulus."""
        modulus = self.key.public_key().public_numbers().n
        digest = hashlib.sha256(modulus.to_bytes(256, "big")).digest()
        return base64.urlsafe_b64encode(digest[:20]).decode().rstrip("=")

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT over the claims, RS256."""
        return jwt.encode(dict(claims), self.key, algorithm="RS256", headers={"kid": self.key_id})

    def verifies(self, token: str) -> bool:
        """Whether the token is signed with this key; its times are not looked at."""
        try:
            jwt.decode(
                token,
                self.key.public_key(),
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return False
        return True

    def jwks(self, issuer: str) -> dict[str, Any]:
        """The key set document."""
        numbers = self.key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "kid": self.key_id,
                    "x5t": self.key_id,
                    "n": _encoded(numbers.n),
                    "e": _encoded(numbers.e),
                    "issuer": issuer,
                }
            ]
        }


def _encoded(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
