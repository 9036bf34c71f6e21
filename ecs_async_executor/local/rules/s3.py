"""S3's REST protocol, as far as faults need it: which action a request is, on which object, and errors in XML. Pure.

Only path-style requests (`/bucket/key`) are understood: that is what the SDKs send to an endpoint that is an IP address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

_PREFIX = "s3:"
ALL_OF_S3 = f"{_PREFIX}*"
READS = frozenset({"s3:GetObject", "s3:HeadObject"})
# Whatever has no name of its own here: multipart uploads, calls for buckets, tags ...
OTHER = "s3:Other"
_OBJECT_ACTIONS = {
    "PUT": "s3:PutObject",
    "GET": "s3:GetObject",
    "HEAD": "s3:HeadObject",
    "DELETE": "s3:DeleteObject",
}
S3_ACTIONS = (*_OBJECT_ACTIONS.values(), "s3:ListObjects", OTHER)
# Query parameters that make a request another action. Source: the URI request parameters in the S3 API reference.
_SUBRESOURCES = frozenset({
    "acl", "attributes", "legal-hold", "retention", "tagging", "torrent", "uploadId", "uploads",
})  # fmt: skip
_LISTING = frozenset({
    "continuation-token", "delimiter", "encoding-type", "fetch-owner", "list-type", "marker", "max-keys", "prefix",
    "start-after", "x-id",
})  # fmt: skip
_CODE = re.compile(rb"<Code>([A-Za-z0-9.]+)</Code>")


@dataclass(frozen=True, slots=True)
class S3Call:
    """A call to S3. `key` is empty if it concerns no object."""

    action: str
    bucket: str
    key: str


def is_s3(action: str) -> bool:
    """Tell whether an action in the conditions is S3's, or all of S3's."""
    return action.startswith(_PREFIX)


def call_of(method: str, target: str) -> S3Call:
    """Read a request's method and target (`/bucket/key?query`, percent-encoded)."""
    path, _, query = target.partition("?")
    bucket, _, key = path.removeprefix("/").partition("/")
    parameters = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    action = OTHER
    if key:
        action = OTHER if parameters & _SUBRESOURCES else _OBJECT_ACTIONS.get(method, OTHER)
    elif bucket and method == "GET" and parameters <= _LISTING:
        action = "s3:ListObjects"
    return S3Call(action, unquote(bucket), unquote(key))


def error_body(code: str, message: str, call: S3Call, request_id: str) -> bytes:
    """Return an error response's XML."""
    resource = f"/{call.bucket}/{call.key}"
    members = {"Code": code, "Message": message, "Resource": resource, "RequestId": request_id}
    inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in members.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'.encode()


def outcome_of(status: int, body: bytes) -> str:
    """Return what to count a response as: ok, the error's code, or the status if the body names none."""
    if status < 400:
        return "ok"
    code = _CODE.search(body)
    return code[1].decode() if code else str(status)
