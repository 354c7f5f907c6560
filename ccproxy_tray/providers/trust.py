"""Which certificates are trusted: those of the system, or of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def context() -> ssl.SSLContext:
    """One for the whole program, made when it is first needed. Blocks for 40 ms then: the authorities are read.

    HTTP/1.1 is all that is offered (ALPN, RFC 7301), because it is all that is spoken here.
    """
    made = ssl.create_default_context()
    made.set_alpn_protocols(["http/1.1"])
    return made
