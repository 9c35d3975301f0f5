"""The certificate of a server that speaks https itself: browsers give a page of another machine no microphone else."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from step_audio_mini.errors import UserError


@dataclass(frozen=True)
class Certificate:
    """Files in PEM form that were found to belong together."""

    cert: Path
    """The certificate, followed by those that vouch for it."""
    key: Path
    """Its private key, without a passphrase: nobody is there to type it."""

    @classmethod
    def of(cls, cert: Path | None, key: Path | None) -> Certificate | None:
        """None without both; UserError where one is missing, cannot be read, or does not fit the other."""
        if cert is None and key is None:
            return None
        if cert is None or key is None:
            raise UserError("--tls-cert and --tls-key belong together; give both, or none")
        for file in (cert, key):
            try:
                file.read_bytes()
            except OSError as error:
                raise UserError(f"cannot read {file} ({error.strerror}); give files in PEM form") from None
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise UserError(
                f"{cert} and {key} are no certificate and its key ({reason}); give both in PEM form, the key without a "
                "passphrase"
            ) from None
        return cls(cert, key)
