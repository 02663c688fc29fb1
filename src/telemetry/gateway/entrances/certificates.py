"""The certificate that terminals are shown over TLS, read again when its files change: no restart for a new one."""

from __future__ import annotations

import logging
import ssl
import time
from pathlib import Path
from typing import Final, Literal

from runtime.errors import ConfigurationError

logger = logging.getLogger(__name__)

ClientCertificates = Literal["none", "optional", "required"]
#: The files are looked at so often, at most.
_LOOK_S: Final = 1.0


class Certificates:
    """TLS 1.2 and 1.3. ``clients``: whether terminals show certificates of their own, signed by one of ``client_ca`` (PEM)."""

    def __init__(
        self,
        certificate: Path,
        key: Path,
        client_ca: Path | None = None,
        clients: ClientCertificates = "none",
    ) -> None:
        """Raises ConfigurationError when the files cannot be used."""
        if (clients == "none") != (client_ca is None):
            raise ConfigurationError(
                "TLS: GONGCHE_TLS_CLIENT_CA 与 GONGCHE_TLS_CLIENTS 须一并设置 / the two belong together",
                hint="GONGCHE_TLS_CLIENTS=optional or required, and the CA that signed the terminals' certificates",
            )
        self._files = (certificate, key, *([] if client_ca is None else [client_ca]))
        self._clients: ClientCertificates = clients
        self._looked = time.monotonic()
        self._of = self._changed()
        try:
            self._context = self._load()
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"TLS 证书无法使用 / the TLS certificate cannot be used: {error}",
                hint="GONGCHE_TLS_CERTIFICATE, GONGCHE_TLS_KEY, GONGCHE_TLS_CLIENT_CA: PEM files that this user can read",
            ) from None

    def context(self) -> ssl.SSLContext:
        """For a connection that begins now. New files that cannot be used are told, and the old ones stay."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            changed = self._changed()
            if changed != self._of:
                self._of = changed
                try:
                    self._context = self._load()
                    logger.info("TLS: new certificate taken from %s", self._files[0])
                except (OSError, ssl.SSLError) as error:
                    logger.error("TLS: the new certificate cannot be used, the old one stays: %s", error)
        return self._context

    def _changed(self) -> tuple[tuple[int, int] | None, ...]:
        """What tells that a file is another one."""
        found: list[tuple[int, int] | None] = []
        for path in self._files:
            try:
                status = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((status.st_mtime_ns, status.st_ino))
        return tuple(found)

    def _load(self) -> ssl.SSLContext:
        certificate, key, *ca = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        context.load_cert_chain(certificate, key, password=_no_password)
        if ca:
            context.load_verify_locations(ca[0])
            context.verify_mode = ssl.CERT_REQUIRED if self._clients == "required" else ssl.CERT_OPTIONAL
        return context


def _no_password() -> str:
    """A key with a password would make the process ask at a terminal that it does not have."""
    raise OSError("the key has a password")
