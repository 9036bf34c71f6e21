"""Finds the names of things in AWS's texts: the image, the secret, the subnet. Pure: a table of patterns."""

from __future__ import annotations

import re
from collections.abc import Mapping

_REF = r"[^\s\"',;()\[\]]{1,300}"


def _patterns(*patterns: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)


# The first pattern that matches counts.
_THINGS: Mapping[str, tuple[re.Pattern[str], ...]] = {
    "image": _patterns(
        rf"resolve ref(?:erence)? \"?({_REF})",
        rf"pull access denied for ({_REF})",
        rf"manifest for ({_REF}) not found",
        rf"pull and unpack image \"?({_REF})",
        rf"cannot pull '({_REF})' from",
        rf"pull the image '({_REF})'",
        rf"ECR repository '({_REF})'",
        rf"(?:pulling|pull) image \"({_REF})",
        rf"repository with name '({_REF})'",
        rf"repository ({_REF}) (?:not found|does not exist)",
        rf"failed to parse (?:image )?reference \"?({_REF})",
        r"https://([\w.:-]+)/v2/([\w./-]+)/manifests/([\w.:-]+)",
    ),
    "repository": _patterns(
        rf"repository with name '({_REF})'",
        r"arn:aws[\w-]*:ecr:[\w-]+:\d+:repository/([\w./-]+)",
        r"\.dkr\.ecr\.[\w-]+\.amazonaws\.com(?:\.cn)?/(?:v2/)?([\w./-]+?)(?:/manifests/|[:@])",
    ),
    "platform": _patterns(
        r"platform '?\{?([a-z0-9]+/[a-z0-9/]+)",
        r"matching manifest for ([a-z0-9]+/[a-z0-9/]+)",
        r"platform \(([a-z0-9]+/[a-z0-9/]+)\)",
    ),
    "secret": _patterns(
        rf"(arn:aws[\w-]*:secretsmanager:{_REF})",
        rf"failed to fetch secret ({_REF}) from",
        rf"secret from the service for ({_REF})",
        rf"secret with ARN '?({_REF})",
        rf"pull the secret '({_REF})'",
    ),
    "parameter": _patterns(
        rf"invalid parameters?: ({_REF})",
        rf"(arn:aws[\w-]*:ssm:{_REF})",
    ),
    "key": _patterns(r"json key ([\w.-]{1,200})"),
    "kms": _patterns(rf"(arn:aws[\w-]*:kms:{_REF})"),
    "file": _patterns(
        r"(?:file|key) ([\w./-]{1,200}) from bucket",
        r"(arn:aws[\w-]*:s3:::[\w./-]{1,200})",
        r"file with key ([\w./-]{1,200})",
        r"config ([\w./-]{1,200}) from bucket",
    ),
    "bucket": _patterns(r"from bucket ([\w.-]{1,63})"),
    "filesystem": _patterns(r"\b(fs-[0-9a-z]{3,20})", r"\b(fsx?-[0-9a-z]{3,20})"),
    "accesspoint": _patterns(r"\b(fsap-[0-9a-f]{3,20})"),
    "path": _patterns(
        r"mounting [\w.-]{1,200}:(/[\w./-]{0,200})",
        r"bind source path does not exist:? ([\w./-]{1,200})",
        r"chdir to cwd \(\"?([^\s\")]{1,200})",
        r"mkdir ([\w./-]{1,200})",
        r"error mounting \"([^\"]{1,200})\"",
        r"failed to chown ([\w./-]{1,200})",
    ),
    "volume": _patterns(r"\b(vol-[0-9a-z]{3,20})"),
    "plugin": _patterns(r"plugin \"?([\w./:-]{1,100})\"? not found", r"plugin ([\w./:-]{1,100}):"),
    "snapshot": _patterns(r"(snap-[0-9a-z]{3,20})"),
    "loggroup": _patterns(
        r"log-group:([\w./#-]{1,200})", r"log group '([^']{1,200})'", r"log group name: ?([\w./#-]{1,200})"
    ),
    "logdriver": _patterns(r"log driver (?:named )?'?\"?([\w.-]{1,60})"),
    "logoption": _patterns(r"log opt '?\"?([\w.-]{1,60})", r"(awslogs-[a-z-]{1,40})"),
    "subnet": _patterns(r"\b(subnet-[0-9a-z]{1,20})", r"subnet ID '([^']{1,60})'"),
    "group": _patterns(r"\b(sg-[0-9a-z]{1,20})", r"security group '([^']{1,60})'"),
    "role": _patterns(
        r"role '(arn:[^']{1,200})'",
        r"(arn:aws[\w-]*:iam::\d+:role/[\w+=,.@/-]{1,200})",
        r"assumed-role/([\w+=,.@-]{1,100})/",
    ),
    "program": _patterns(r"exec: \"([^\"]{1,200})\"", r"exec ([\w./-]{1,200}):"),
    "user": _patterns(r"unable to find (?:user|group) ([^\s:]{1,100})"),
    "device": _patterns(r"device \"([^\"]{1,100})\""),
    "port": _patterns(r"bind for ([\d.:\[\]a-f]{1,60}) failed", r"listen \w+ ([\d.:]{1,60})"),
    "memory": _patterns(r"memory limit allowed is (\w{1,12})"),
    "host": _patterns(
        r"lookup ([\w.-]{1,200})",
        r"https?://([\w.-]{1,200})",
        r"dial \w+ ([\d.:\[\]a-f]{3,60}:\d+)",
        r"resolve \"([\w.-]{1,200})\"",
    ),
    "instance": _patterns(r"\b(i-[0-9a-z]{1,20})"),
    "attribute": _patterns(r"attribute '?\"?((?:com\.amazonaws\.|ecs\.)[\w.-]{1,100})"),
    "constraint": _patterns(r"(\w{1,40}) placement constraint unsatisfied"),
    "provider": _patterns(
        r"capacity provider ['\"]([\w-]{1,255})",
        r"capacity provider ((?!was\b|that\b|strategy\b)[\w-]{1,255}) was not found",
    ),
    "definition": _patterns(r"(arn:aws[\w-]*:ecs:[\w-]+:\d+:task-definition/[\w:-]{1,255})"),
    "container": _patterns(r"container named ([\w-]{1,255})", r"for container '?([\w-]{1,255})"),
    "dependency": _patterns(r"dependency \[([\w-]{1,255})", r"dependency container '([\w-]{1,255})"),
    "step": _patterns(r"could not transition to (\w{1,40})"),
    "limit": _patterns(r"timed out after waiting ([\w.]{1,20})"),
    "launchtype": _patterns(r"launch[_ ]?type:? ((?-i:[A-Z][A-Z0-9_]{1,20}))\b"),
    "number": _patterns(r"at most (\d{1,6})"),
}


def value_of(thing: str, text: str) -> str:
    """Return how a text names a thing; empty if it doesn't. Raises nothing, whatever the thing or the text."""
    for pattern in _THINGS.get(thing, ()):
        if match := pattern.search(text):
            first, *others = (part.rstrip(".:,") for part in match.groups())
            if others:  # a registry's address of a manifest: host, repository, tag or digest
                repository, tag = others
                return f"{first}/{repository}{'@' if tag.startswith('sha256:') else ':'}{tag}"
            return first
    return ""
