"""The names of a user's resources never decide what a text means, whatever words they hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_async_executor.engine.diagnosis.call_failures import Kind, classify
from ecs_async_executor.engine.diagnosis.causes import things
from ecs_async_executor.engine.diagnosis.causes.cause import find, plainly
from ecs_async_executor.engine.diagnosis.causes.masks import masked
from tests.support.engine import error
from tests.unit.engine.diagnosis.test_causes import ALL, TEXTS

PULL = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref"
SECRETS = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to"
ASM = f"{SECRETS} retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret"
NO_SECRET = (
    "from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret."
)
LOGS = "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log"
ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:"


def name_of(text: str) -> str:
    found = find(TEXTS, text)
    return found.cause.name if found else ""


@pytest.mark.parametrize(
    "image",
    [
        "airflow:1.0.403",
        "airflow:403",
        "forbidden/airflow",
        "airflow-unauthorized",
        "airflow:429",
        "airflow:v429",
        "airflow:build-429",
        "throttle/x",
        "airflow:eof",
        "acme/x509-tool",
        "denied",
        "timeout:3",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        f"{PULL} docker.io/{{0}}: docker.io/{{0}}: not found",
        f"{PULL} 123456789012.dkr.ecr.eu-west-1.amazonaws.com/{{0}}: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/{{0}}: not found",
        f"{PULL} registry.example.com:5000/{{0}}: registry.example.com:5000/{{0}}: not found",
        f"{PULL} {{0}}: {{0}}: not found",
        "CannotPullContainerError: Error response from daemon: manifest for {0} not found: manifest unknown: manifest unknown",
        'CannotPullContainerError: failed to pull and unpack image "docker.io/{0}": not found',
        "CannotPullContainerError: Error: No such image: {0}",
    ],
)
def test_an_image_that_does_not_exist_is_not_found_whatever_it_is_called(image: str, text: str) -> None:
    assert name_of(text.format(image)) == "image-missing"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{ASM} {ARN}prod/throttle-a1b2c3 {NO_SECRET}", "secret-missing"),
        (f"{ASM} prod/throttle-a1b2c3 {NO_SECRET}", "secret-missing"),
        (
            (
                f"{ASM} {ARN}rate-limit/throttling-a1b2c3 from secrets manager: AccessDeniedException: User:"
                " arn:aws:sts::1:assumed-role/exec/a is not authorized to perform: secretsmanager:GetSecretValue on resource:"
                f" {ARN}rate-limit/throttling-a1b2c3"
            ),
            "secret-denied",
        ),
        (f"{ASM} {ARN}prod/eof-a1b2c3 {NO_SECRET}", "secret-missing"),
        (f"{ASM} {ARN}tls/x509-a1b2c3 {NO_SECRET}", "secret-missing"),
        (f"{ASM} {ARN}prod/forbidden-a1b2c3 {NO_SECRET}", "secret-missing"),
        (f"{ASM} {ARN}kms/x-a1b2c3 {NO_SECRET}", "secret-missing"),
        (
            f"{LOGS} stream: ResourceNotFoundException: The specified log group /ecs/throttled does not exist.",
            "log-group-missing",
        ),
        (
            f"{LOGS} stream: ResourceNotFoundException: The log group '/ecs/403' does not exist.",
            "log-group-missing",
        ),
        (
            (
                f"{LOGS} stream: AccessDeniedException: User: arn:aws:sts::1:assumed-role/exec/a is not authorized to perform:"
                " logs:CreateLogStream on resource: arn:aws:logs:eu-west-1:1:log-group:/ecs/throttled:log-stream:a/rate-limit/1"
            ),
            "log-denied",
        ),
        (
            'CannotStartContainerError: runc create failed: exec: "/opt/efs/403.sh": stat /opt/efs/403.sh: no such file or directory',
            "program-missing",
        ),
    ],
)
def test_the_reason_decides_and_not_the_name(text: str, name: str) -> None:
    assert name_of(text) == name


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Invalid tag value 'Rate exceeded' for tag key 'x'.", Kind.CONFIGURATION),
        ("Invalid tag value 'x: Rate exceeded'", Kind.CONFIGURATION),
        (
            "Override for container named RequestLimitExceeded is not a container in the TaskDefinition.",
            Kind.CONFIGURATION,
        ),
        ("Rate exceeded", Kind.THROTTLE),
        (
            "Error retrieving subnet information for [subnet-1]: Rate exceeded (ErrorCode: Throttling)",
            Kind.THROTTLE,
        ),
        (
            "Error retrieving subnet information for [subnet-1]: Request limit exceeded. (ErrorCode: RequestLimitExceeded)",
            Kind.THROTTLE,
        ),
    ],
)
def test_only_awss_own_words_are_a_throttle(message: str, kind: Kind) -> None:
    assert classify(error("InvalidParameterException", message)).kind is kind


@pytest.mark.parametrize(
    "text",
    [
        'exec: "python": executable file not found in $PATH',
        "repository does not exist or may require 'docker login': denied",
        "'memory' setting for container 'memory' is greater than for task.",
        "mount: unknown filesystem type 'efs'",
        "could not select device driver with capabilities: [[gpu]]",
    ],
)
def test_awss_own_words_stay_readable(text: str) -> None:
    for word in ("exec", "docker login", "'memory' setting", "filesystem type 'efs'", "[[gpu]]"):
        assert (word in masked(text)) is (word in text)


def test_the_summary_names_what_the_mask_hides() -> None:
    found = find(TEXTS, f"{PULL} docker.io/forbidden/airflow:429: docker.io/forbidden/airflow:429: not found")
    assert found is not None
    assert found.summary == "The registry has no image docker.io/forbidden/airflow:429."


# --- every word of the table, in every place for a name ---------------------------------------------------

NAMED = (
    "image",
    "secret",
    "parameter",
    "key",
    "file",
    "bucket",
    "path",
    "loggroup",
    "group",
    "role",
    "subnet",
    "container",
    "dependency",
    "provider",
    "definition",
    "user",
    "program",
    "plugin",
    "device",
)
"""The things whose names people choose."""
WORDS = sorted(
    {
        word
        for cause in ALL
        for pattern in (cause.text, cause.within)
        if pattern is not None
        for word in re.findall(r"[A-Za-z]{3,}|[45]\d\d", pattern.pattern)
    }
    | {"403", "404", "429", "eof", "x509", "oom", "spot", "RESOURCE:CPU", "AGENT", "ENI", "efs", "ebs", "kms"}
)


_ID = re.compile(r"(?:sg|subnet)-[0-9a-z]+")
"""AWS chooses these, not people."""


def renamed(text: str, name: str, to: str) -> str:
    return re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", to, text)


def places() -> Iterator[tuple[str, str, str]]:
    """Yield each wording that names a user's resource, with the cause's name and the resource's."""
    for cause in TEXTS:
        for wording in map(plainly, cause.wordings):
            for thing in NAMED:
                for pattern in things._THINGS[thing]:
                    match = pattern.search(wording)
                    if match and len(match.groups()) == 1 and not _ID.fullmatch(match[1]):
                        yield wording, cause.name, match[1].rstrip(".:,")
                        break


PLACES = sorted(set(places()))


@pytest.mark.parametrize(("wording", "cause", "name"), PLACES)
def test_no_word_of_the_table_in_a_name_changes_the_cause(wording: str, cause: str, name: str) -> None:
    for start in range(0, len(WORDS), 20):
        worded = f"{name}-{'-'.join(WORDS[start : start + 20])}"
        assert name_of(renamed(wording, name, worded)) == cause


@given(
    st.sampled_from(PLACES), st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), st.sampled_from("-_.")
)
def test_no_words_of_the_table_together_change_the_cause(
    place: tuple[str, str, str], words: list[str], separator: str
) -> None:
    wording, cause, name = place
    assert name_of(renamed(wording, name, f"{name}{separator}{separator.join(words)}")) == cause


@given(st.text())
def test_any_text_can_be_masked(text: str) -> None:
    masked(text)
