"""What went wrong on the wire, in one line for a person."""

from __future__ import annotations

import ssl

import aiohttp

from bot.feeds.addresses import PrivateAddress


def explain(error: BaseException, total: float) -> str:
    """One clear line for an error of aiohttp or the system; ``total`` is the limit in seconds that was in force."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"TLS: {error.host}: {_certificate(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        if isinstance(error.os_error, PrivateAddress):
            return f"{error.os_error}; refused unless the source is private: true"
        return f"DNS: the name {error.host} cannot be resolved"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"TLS: {error.host}: {_certificate(error.os_error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect to {error.host}: {error.os_error.strerror or error.os_error}"
    if isinstance(error, TimeoutError):
        return _timeout(error, total)
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the transfer was cut before its end"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection without an answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is not valid HTTP: {_line(error.message)}"
    if isinstance(error, aiohttp.InvalidURL):
        return "not a valid address"
    return f"the connection failed: {_line(error) or type(error).__name__}"


def _timeout(error: BaseException, total: float) -> str:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "timeout: no connection in time"
    if isinstance(error, aiohttp.SocketTimeoutError):
        return "timeout: the server went silent"
    return f"timeout: no complete answer within {total:g} s"


def _certificate(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid ({error.verify_message})"
    return getattr(error, "reason", None) or _line(error)


def _line(text: object) -> str:
    return " ".join(str(text).split())[:200]
