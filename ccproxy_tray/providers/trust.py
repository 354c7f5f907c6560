"""Which certificates are trusted: those of the system, or of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``."""

from __future__ import annotations

import os
import ssl
import sys
from contextlib import suppress
from functools import cache

MAC_AUTHORITIES = "/etc/ssl/cert.pem"
"""The authorities that macOS brings along."""


@cache
def context() -> ssl.SSLContext:
    """One for the whole program, made when it is first needed. Blocks for 40 ms then: the authorities are read.

    HTTP/1.1 is all that is offered (ALPN, RFC 7301), because it is all that is spoken here.
    """
    made = ssl.create_default_context()
    if sys.platform == "darwin" and _has_none():
        with suppress(OSError):  # there are none at all then, which every connection will say
            made.load_verify_locations(MAC_AUTHORITIES)
    made.set_alpn_protocols(["http/1.1"])
    return made


def _has_none() -> bool:
    """Whether Python finds no authorities where it looks, and nobody has told it where to look.

    So it is with python.org's for macOS until "Install Certificates.command" has run.
    """
    paths = ssl.get_default_verify_paths()
    told = os.environ.get(paths.openssl_cafile_env) or os.environ.get(paths.openssl_capath_env)
    return not (told or paths.cafile or paths.capath)
