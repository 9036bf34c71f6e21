"""Masks the names of a user's resources in AWS's texts, so that no row of the table takes a name for AWS's words. Pure.

An image may be called `forbidden/airflow:429`, and a secret `prod/throttle`: the rows of the table are matched on the masked
text; the names are read from the original (`things.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

MASK = "_"
"""What stands for a name: part of a word for every pattern of the table, and in none of their keywords."""

_END = r"\s\"',;()\[\]{}<>"
_NAME = rf"[^{_END}]{{0,1100}}[^{_END}.:]"
"""A name without the punctuation that follows it; the longest that AWS allows is an S3 key of 1024 characters."""
_HOST = r"(?:[\w-]{1,63}\.[\w.-]{1,200}|localhost)(?::\d{1,5})?"


def _any(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


_URL = re.compile(rf"(https?://)([^{_END}/]{{1,1100}})([^{_END}]*)")
_ARN = re.compile(rf"\b(arn:aws[\w-]{{0,20}}:[\w-]{{0,60}}:)[^{_END}]{{0,1100}}[^{_END}.:]")
_IMAGE = re.compile(rf"(?<![\w./:@%-])({_HOST})(/{_NAME})")
_PATH = re.compile(rf"(?<![\w./-])(/proc/sys/|/proc/|/sys/fs/cgroup/|/dev/|/)(?!/)({_NAME})")
_KNOWN_HOST = re.compile(
    r"[\d.]+(?::\d+)?|[\w%.-]+\.sock|[\w.-]+\.amazonaws\.com(?:\.cn)?|public\.ecr\.aws|(?:[\w-]+\.)?docker\.io|ghcr\.io|quay\.io"
    r"|(?:[\w-]+\.)?gcr\.io",
    re.IGNORECASE,
)
_BUCKET_HOST = re.compile(r"^(?![\w-]*starport-layer-bucket)[\w.-]{1,200}(?=\.s3[.-])", re.IGNORECASE)
_SOCKET = re.compile(r"(?:docker|containerd|fluent)\.sock$")
_HOSTS_PROGRAM = r"(?:nvidia-[\w-]{1,60}|docker-init|docker-runc|runc|containerd-shim[\w-]{0,60}|iptables)\""
"""The host runs these to start a container: no image has them."""
# What stands here is a name, whatever it looks like.
_SLOTS = _any(
    rf"resolve ref(?:erence)? \"?({_NAME})",
    rf"parse (?:image )?reference \"?({_NAME})",
    rf"pull access denied for ({_NAME})",
    rf"manifest for ({_NAME}) (?:not found|in the manifest)",
    rf"no such image: ({_NAME})",
    r"(?:error|time\(s\)): (?!https?:)([\w.-]{1,200}[/:][\w./:@-]{1,1100}): ",
    rf"\brepository ({_NAME}) (?:not found|does not exist)",
    rf"fetch secret ({_NAME}) from",
    rf"from the service for ({_NAME})",
    r"invalid parameters?: (.{1,2000}?)(?=: |$)",
    r"json key ([\w.-]{1,1100})",
    rf"\bkey ({_NAME}) from bucket",
    rf"\bfile ({_NAME}) from bucket",
    rf"\bconfig ({_NAME}) from bucket",
    rf"from bucket ({_NAME})",
    rf"capacity provider (?!was\b)({_NAME}) was not found",
    rf"log group name: ?({_NAME})",
    rf"container named ({_NAME})",
    r"(?:dependency|target|information for) \[([^\]]{1,600})",
    r"\(service ([^\s)]{1,1100})\)",
    r"^service ([\w-]{1,1100}): ",
    rf"identifier is for ({_NAME})",
    rf"your cluster is ({_NAME})",
    rf"\bfamily ({_NAME})",
    rf"unable to find (?:user|group) ({_NAME})",
    rf"\bexec:? \"(?!{_HOSTS_PROGRAM})([^\"]{{1,1100}})\"",
    r"\b(?:exec|stat) ([^\s\":/][^\s\":]{0,1100}):",
    r"\bvolume referenced: ([\w-]{1,1100})",
    r"certificate is valid for [^:]{1,1100}, not ([\w.-]{1,1100})",
)
# A quoted word is a name, but for the words of AWS's own that a row looks for.
_QUOTED = re.compile(
    rf"(?<!filesystem type )(?<!\w)(['\"])(?!(?:cpu|memory|memoryReservation|executionRoleArn|awsvpc)['\"]|{_HOSTS_PROGRAM})"
    r"([^\s'\"]{1,1100})\1"
)
# What stands here is a name if it is more than letters: "image acme/airflow", but not "image manifest".
_LOOSE = re.compile(
    r"\b(?:image|repository|secret|parameter|bucket|key|file|group|role|cluster|definition|container|volume|provider|lookup"
    rf"|endpoint:?) (?![a-z]{{1,1100}}[.:]?(?:[{_END}]|$))({_NAME})",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """Return the text with `MASK` for each name of a user's resource."""
    names: list[str] = []
    text = _URL.sub(_url, text)
    text = _ARN.sub(rf"\1{MASK}", text)
    text = _IMAGE.sub(_collecting(names, lambda match: f"{_host(match[1])}/{MASK}"), text)
    for slot in _SLOTS:
        text = slot.sub(_collecting(names, _slot), text)
    text = _QUOTED.sub(_collecting(names, lambda match: f"{match[1]}{MASK}{match[1]}"), text)
    text = _PATH.sub(_path, text)
    text = _LOOSE.sub(_collecting(names, _slot), text)
    for name in dict.fromkeys(names):
        if name in text and _is_telling(name):
            text = re.sub(rf"(?<![\w/.-]){re.escape(name)}(?![\w/-])", MASK, text)
    return text


def _collecting(names: list[str], replace: Callable[[re.Match[str]], str]) -> Callable[[re.Match[str]], str]:
    """Return a replacement that also keeps the name."""

    def collect(match: re.Match[str]) -> str:
        names.append(match[match.lastindex or 0] if match.re is not _IMAGE else match[0])
        return replace(match)

    return collect


def _is_telling(name: str) -> bool:
    """Return whether it is a name wherever it stands in the text: no plain word or number, which AWS may say as well."""
    return len(name) > 2 and not name.isalpha() and not name.isdigit()


def _slot(match: re.Match[str]) -> str:
    """Mask a pattern's only group; a host keeps what AWS and the public registries call it."""
    start, end = match.start(1) - match.start(), match.end(1) - match.start()
    host, slash, _ = match[1].partition("/")
    kept = f"{_host(host)}/{MASK}" if slash else _host(host)
    return f"{match[0][:start]}{kept}{match[0][end:]}"


def _url(match: re.Match[str]) -> str:
    scheme, host, path = match.groups()
    path, punctuation = _without_punctuation(path)
    if not path:
        host, punctuation = _without_punctuation(host)
    if path.startswith("/v2/credentials"):
        path = "/v2/credentials"
    elif path.startswith("/v2/"):
        path = f"/v2/{MASK}"
    elif path:
        path = f"/{MASK}"
    return f"{scheme}{_host(host)}{path}{punctuation}"


def _without_punctuation(text: str) -> tuple[str, str]:
    name = text.rstrip(".:")
    return name, text[len(name) :]


def _host(host: str) -> str:
    if not _KNOWN_HOST.fullmatch(host):
        return MASK
    return _BUCKET_HOST.sub(MASK, host)


def _path(match: re.Match[str]) -> str:
    socket = _SOCKET.search(match[2])
    return f"{match[1]}{socket[0] if socket else MASK}"
