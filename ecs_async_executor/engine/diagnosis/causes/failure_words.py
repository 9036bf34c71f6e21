"""Words for a broken connection, a denial and a throttle, as Go's network code, curl and AWS's SDKs choose them.

They are patterns, for the texts of stopped tasks: ECS's own calls failed. What a call of the executor's meets is in `calls.py`.
"""

from __future__ import annotations


def status(*codes: str) -> str:
    """Return the pattern of an HTTP status; a bare number may stand for anything."""
    some = "|".join(codes)
    reason = r"(?:unauthorized|forbidden|not found|too many requests|internal server|bad gateway|service unavailable|gateway time)"
    return rf"status ?(?:code)?:? ?(?:{some})\b|\b(?:{some}) {reason}|(?:error|returned) \(?(?:{some})\b"


NO_NAME = r"no such host|server misbehaving|name resolution|name or service not known|could not resolve host|getaddrinfo"
NO_TRUST = r"x509|certificate (?:verify|signed|has expired|is not)|gave HTTP response to HTTPS client|tls: "
REFUSED = (
    r"connection refused|proxyconnect|no route to host|network is unreachable|proxy authentication required"
)
NO_ANSWER = (
    r"i/o timeout|connection issue|deadline exceeded|timed out|request cancell?ed|context cancell?ed|handshake timeout"
    r"|connection reset|reset by peer|\bEOF\b|broken pipe|request send failed|send request failed|signal: killed"
    r"|check your (?:task )?network|status ?code: 0\b|client\.timeout|connection timeout|connect timeout"
)
NETWORK = f"{NO_ANSWER}|{NO_NAME}|{NO_TRUST}|{REFUSED}"
DENIAL = (
    r"access ?denied|not authorized|unauthorizedoperation|forbidden|no identity-based policy|access to KMS|"
    + status("403")
)
THROTTLE = r"throttl|rate exceeded|too ?many ?requests|request ?limit ?exceeded|rate limit"
