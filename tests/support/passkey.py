"""A passkey of software, which does what its holder says: one that nobody's finger was asked for, too."""

import base64
import hashlib
import json
import os
import struct
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256

TOUCHED, VERIFIED = 0x01, 0x05
"""Flags of an answer: somebody was there; and it was seen who."""
HAS_KEY = 0x40


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Passkey:
    def __init__(self, origin: str = "http://localhost:8000") -> None:
        self.key, self.id, self.origin = ec.generate_private_key(ec.SECP256R1()), os.urandom(32), origin
        self.handle = ""

    def made(self, question: dict[str, Any], flags: int = VERIFIED) -> str:
        """What a browser sends for a new passkey."""
        self.handle = question["user"]["id"]
        public = cbor.encode(dict(ES256.from_cryptography_key(self.key.public_key())))
        data = self._data(flags | HAS_KEY, bytes(16) + struct.pack(">H", len(self.id)) + self.id + public)
        attested = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        said = self._said("webauthn.create", question)
        return self._sent({"clientDataJSON": packed(said), "attestationObject": packed(attested)})

    def signed(self, question: dict[str, Any], flags: int = VERIFIED) -> str:
        """What a browser sends for a question."""
        said, data = self._said("webauthn.get", question), self._data(flags)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        answer = {"clientDataJSON": packed(said), "authenticatorData": packed(data), "signature": packed(signature)}
        return self._sent(answer | {"userHandle": self.handle})

    def _data(self, flags: int, key: bytes = b"") -> bytes:
        return hashlib.sha256(b"localhost").digest() + bytes([flags]) + struct.pack(">I", 1) + key

    def _said(self, kind: str, question: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": question["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _sent(self, response: dict[str, str]) -> str:
        own = {"id": packed(self.id), "rawId": packed(self.id), "type": "public-key"}
        kept = {"clientExtensionResults": {"credProps": {"rk": True}}}
        return json.dumps(own | kept | {"response": response})
