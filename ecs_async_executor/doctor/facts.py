"""What was asked and what the answer was: a value, nothing of that name, or that it can't be determined. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple, TypeAlias


class Kind(str, Enum):
    """What a question is about."""

    IDENTITY = "who calls AWS"
    CLUSTER = "the cluster"
    DEFINITION = "the task definition"
    PROVIDER = "the capacity provider"
    SUBNET = "the subnet"
    GROUP = "the security group"
    DEFAULT_GROUP = "the VPC's default security group"
    ROUTES = "the VPC's route tables"
    ENDPOINTS = "the VPC's endpoints"
    DNS = "the VPC's DNS settings"
    ROLE = "the role"
    PERMISSIONS = "the permissions of"
    KEY_POLICY = "the policy of the key"
    BUCKET_POLICY = "the policy of the bucket"
    SECRET_POLICY = "the policy of the secret"  # noqa: S105  a kind of question
    LOG_GROUP = "the log group"
    SECRET = "the secret"  # noqa: S105  a kind of question
    PARAMETER = "the parameter"
    IMAGE = "the image"
    PLATFORMS = "the processors of the image"
    CACHE_RULES = "the pull-through cache rules of the registry"
    QUOTA = "the quota"
    RATES = "the rates of Fargate's launches"
    BUCKET = "the bucket"
    LIFECYCLE = "the lifecycle rules of the bucket"
    ENCRYPTION = "the encryption of the bucket"
    VERSIONING = "the versioning of the bucket"
    LIST_TASKS = "whether ListTasks works on"
    DESCRIBE_TASKS = "whether DescribeTasks works on"
    ADDRESS = "the addresses of the host"
    API = "the execution API at"
    TOKEN = "whether a task's token is accepted at"  # noqa: S105  as above
    POOL = "Airflow's pool"
    CONNECTION = "the Airflow connection"


class Question(NamedTuple):
    """One thing to find out."""

    kind: Kind
    name: str = ""
    """Of the resource: an id, a name, an ARN or a URL."""
    of: str = ""
    """What else the answer depends on: a Region, or the resources of a permission, separated by spaces."""

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.kind.value} {self.name}".strip()


class Cause(str, Enum):
    """Why a question has no answer."""

    DENIED = "denied"
    CREDENTIALS = "credentials"
    NETWORK = "network"
    TIME = "time"
    NOT_ASKED = "not asked"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Known:
    """The answer."""

    value: Any


@dataclass(frozen=True, slots=True)
class Absent:
    """AWS says that there is no such thing."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """It can't be determined."""

    why: str
    """One sentence."""
    cause: Cause = Cause.OTHER
    todo: str = ""


Fact: TypeAlias = Known | Absent | Unknown


@dataclass(slots=True)
class Facts:
    """The answers, and which of the unknown ones somebody has looked for: a check that missed one can't say that all is well."""

    answers: Mapping[Question, Fact] = field(default_factory=dict)
    missed: set[Question] = field(default_factory=set)

    def __iter__(self) -> Iterator[tuple[Question, Fact]]:
        """Yield every question that was asked, and its answer."""
        yield from self.answers.items()

    def get(self, question: Question) -> Fact:
        """Return the answer; Unknown if nobody asked."""
        fact = self.answers.get(question) or Unknown("It was not asked.", Cause.NOT_ASKED)
        if isinstance(fact, Unknown):
            self.missed.add(question)
        return fact

    def value(self, kind: Kind, name: str = "", of: str = "") -> Any:
        """Return the value of an answer; None if there is none, for whichever reason, and that is noted as missed."""
        question = Question(kind, name, of)
        fact = self.get(question)
        if isinstance(fact, Known):
            return fact.value
        self.missed.add(question)
        return None

    def absent(self, kind: Kind, name: str = "", of: str = "") -> Absent | None:
        """Return the answer if it is that there is no such thing."""
        fact = self.get(Question(kind, name, of))
        return fact if isinstance(fact, Absent) else None

    def skip(self, question: Question) -> None:
        """Note that a check could not ask this: it can't say that all is well."""
        self.missed.add(question)

    def fresh(self) -> Facts:
        """Return the same answers, with nothing missed yet."""
        return Facts(self.answers)
