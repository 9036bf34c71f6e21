"""A standby's container as real processes: Airflow's own, against an execution API and moto's S3."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ecs_async_executor.standby.command import BROKEN, LEFT, NO_ACCESS
from tests.support.execution_api import ExecutionApi, serve_execution_api
from tests.support.s3 import Bucket, bucket
from tests.support.standby.containers import DAGS, Containers
from tests.support.workloads import callback_workload, task_workload

TOKEN = "eyJ.a-token.that-nobody-may-read"


@pytest.fixture(scope="module")
def served_bucket() -> Iterator[Bucket]:
    with bucket() as served:
        yield served


@pytest.fixture(scope="module")
def api() -> Iterator[ExecutionApi]:
    with serve_execution_api() as served:
        yield served


@pytest.fixture
def containers(tmp_path: Path, served_bucket: Bucket, api: ExecutionApi) -> Iterator[Containers]:
    """Containers with Airflow."""
    served_bucket.empty()
    environment = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": api.url,
        "PYTHONHASHSEED": "0",
        "STATE_FILE": str(tmp_path / "state.json"),
        "STOPPED_FILE": str(tmp_path / "stopped"),
    }
    started = Containers(tmp_path, served_bucket, **environment)
    yield started
    started.close()


STAND_IN = """
import os, signal, sys
number = int(os.environ.get("CODE", 0))
print(len(sys.argv[2]), sys.argv[0], sys.argv[1], __name__, __spec__.name, signal.getsignal(signal.SIGTERM).__class__.__name__)
print([name for name in globals() if name[0] != "_"], "token" in open("/proc/self/cmdline").read())
sys.exit(number)
"""


@pytest.fixture
def images(tmp_path: Path, served_bucket: Bucket) -> Iterator[Callable[..., Containers]]:
    """Containers whose image has stand-ins for some modules."""
    every: list[Containers] = []

    def with_modules(**modules: str) -> Containers:
        served_bucket.empty()
        for name, text in modules.items():
            path = tmp_path.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            for package in path.relative_to(tmp_path).parents[:-1]:
                (tmp_path / package / "__init__.py").touch()
            path.write_text(text)
        every.append(Containers(tmp_path, served_bucket, PYTHONPATH=str(tmp_path)))
        return every[-1]

    yield with_modules
    for each in every:
        each.close()


@pytest.fixture
def light(images: Callable[..., Containers]) -> Containers:
    """Containers with a stand-in for Airflow."""
    return images(
        airflow__executors__base_executor="",
        airflow__sdk__execution_time__execute_workload=STAND_IN,
    )


# --- with a stand-in for Airflow -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [40, 300_000], ids=["short", "longer than a pipe's buffer"])
def test_airflow_gets_the_workload_as_python_m_would_give_it(light: Containers, size: int) -> None:
    standby = light.standby(CODE="7")
    standby.give(json.dumps({"token": TOKEN, "text": "x" * size}))
    assert standby.end() == 7
    waits, has, arguments, names = standby.said().splitlines()
    assert waits == "Standby: waits in s3://payloads/airflow/standby"
    assert has == "Standby: has a workload"
    length, path, option, main, spec, handler = arguments.split()
    assert int(length) > size
    assert path.endswith("airflow/sdk/execution_time/execute_workload.py")
    assert (option, main) == ("--json-string", "__main__")
    assert spec == "airflow.sdk.execution_time.execute_workload"
    assert handler == "Handlers"  # the default
    assert names == "['os', 'signal', 'sys', 'number'] False"


def test_a_workload_that_comes_before_airflow_is_imported_is_not_lost(
    images: Callable[..., Containers],
) -> None:
    slow = images(
        airflow__executors__base_executor="import time; time.sleep(3)",
        airflow__sdk__execution_time__execute_workload="",
    )
    standby = slow.standby()
    standby.give("{}")
    assert standby.end() == 0
    assert "has a workload" in standby.said()


def test_an_empty_object_ends_it(light: Containers) -> None:
    standby = light.standby()
    standby.ready()
    standby.give("")
    assert standby.end() == LEFT
    assert standby.said().splitlines()[1:] == ["Standby: leaves, not needed"]
    assert standby.others() == []


def test_without_a_lease_it_has_no_access(light: Containers) -> None:
    standby = light.standby(lease=False)
    assert standby.end() == NO_ACCESS
    assert "Standby: leaves, no lease: An error occurred (NoSuchKey)" in standby.said()


def test_without_credentials_it_has_no_access(light: Containers) -> None:
    standby = light.standby(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="", AWS_EC2_METADATA_DISABLED="true")
    assert standby.end() == NO_ACCESS
    assert "Unable to locate credentials" in standby.said()


def test_one_that_is_too_old_leaves(light: Containers) -> None:
    standby = light.standby(max_age=1)
    assert standby.end() == LEFT
    assert "Standby: leaves, too old" in standby.said()


def test_sigterm_ends_it_at_once(light: Containers) -> None:
    standby = light.standby()
    standby.ready()
    begun = time.monotonic()
    standby.process.send_signal(signal.SIGTERM)
    assert standby.end() == LEFT
    assert time.monotonic() - begun < 5
    assert standby.said().splitlines()[1:] == ["Standby: leaves, SIGTERM"]
    end = time.monotonic() + 10
    while standby.others():
        assert time.monotonic() < end


def test_sigterm_for_all_its_processes_ends_it_at_once(light: Containers) -> None:
    """As dumb-init, the entry point of Airflow's images, passes it on."""
    standby = light.standby()
    standby.ready()
    os.killpg(standby.process.pid, signal.SIGTERM)
    assert standby.end() == LEFT


def test_sigterm_while_it_imports_ends_it_at_once(images: Callable[..., Containers]) -> None:
    slow = images(airflow__executors__base_executor="import time; time.sleep(60)")
    standby = slow.standby()
    standby.until(standby.others)
    time.sleep(0.5)
    standby.process.send_signal(signal.SIGTERM)
    assert standby.end() == LEFT


def test_if_its_process_is_killed_nothing_goes_on_waiting(light: Containers) -> None:
    standby = light.standby()
    standby.ready()
    assert len(standby.others()) == 1
    standby.process.kill()
    assert standby.end() == -signal.SIGKILL
    end = time.monotonic() + 30
    while standby.others():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_if_its_waiting_is_killed_it_leaves(light: Containers) -> None:
    standby = light.standby()
    standby.ready()
    (waiting,) = standby.others()
    os.kill(waiting, signal.SIGKILL)
    assert standby.end() == LEFT


@pytest.mark.parametrize(
    ("module", "text", "shown"),
    [
        ("airflow__executors__base_executor", "import no_such_module", "No module named 'no_such_module'"),
        ("airflow__executors__base_executor", "raise SystemExit('not configured')", "not configured"),
        ("airflow__other", "", "No module named 'airflow.executors'"),
        ("botocore__session", "raise ImportError('a broken botocore')", "a broken botocore"),
    ],
)
def test_an_image_that_can_not_import_what_it_needs_is_broken(
    images: Callable[..., Containers], module: str, text: str, shown: str
) -> None:
    modules = {"airflow__executors__base_executor": "", module: text}
    if module == "airflow__other":
        del modules["airflow__executors__base_executor"]
    standby = images(**modules).standby()
    assert standby.end() == BROKEN
    assert shown in standby.said()


# --- with Airflow -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_callback_runs(containers: Containers, tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("def tell(file):\n    open(file, 'w').write('told')\n")
    workload = callback_workload(token=TOKEN)
    told = tmp_path / "told"
    workload.callback.data = {"path": "late.tell", "kwargs": {"file": str(told)}}
    standby = containers.standby(PYTHONPATH=str(tmp_path))
    standby.give(workload.model_dump_json())
    assert standby.end() == 0, standby.said()
    assert told.read_text() == "told"


@pytest.mark.slow
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
def test_sigterm_with_a_task_in_hand_is_airflows(
    containers: Containers, tmp_path: Path, *, warm: bool
) -> None:
    workload = task_workload(token=TOKEN, dag_id="stopped")
    workload = workload.model_copy(update={"dag_rel_path": "stopped.py"})
    if warm:
        container = containers.standby()
        container.give(workload.model_dump_json())
    else:
        container = containers.cold(workload.model_dump_json())  # type: ignore[assignment]  # either has what we use
    stopped = tmp_path / "stopped"
    container.until(stopped.exists)
    container.process.send_signal(signal.SIGTERM)
    assert container.end() == 0
    assert stopped.read_text() == "on_kill"
    assert TOKEN not in container.said()


ALLOWED = {
    "command line": "Airflow writes its title over the container's command; spaces fill what the command was longer.",
    "stack": "At the bottom are two frames of the standby, and one more of `runpy`.",
    "modules logging _startTime": "The process is as old as the standby: `%(relativeCreated)d` in a log format counts from then.",
}
"""What a task can tell a warm start from a cold one by, and why that is as it should be."""


def flat(state: dict[str, Any]) -> dict[str, Any]:
    """Give a state by the names of its parts; of modules, global by global."""
    modules = state.pop("modules")
    found = {f"modules {name} {key}": value for name, of in modules.items() for key, value in of.items()}
    return {**state, "module names": sorted(modules), **found}


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    missing = object()
    return {key for key in one | other if one.get(key, missing) != other.get(key, missing)}


@pytest.mark.slow
def test_no_task_can_tell_a_warm_start_from_a_cold_one(containers: Containers, api: ExecutionApi) -> None:
    workload = task_workload(token=TOKEN, dag_id="state").model_copy(update={"dag_rel_path": "state.py"})
    file = Path(containers.environment["STATE_FILE"])

    def state_in(container: Any) -> dict[str, Any]:
        assert container.end() == 0, container.said()
        assert api.states.pop(str(workload.ti.id)) == "success", container.said()
        found: dict[str, Any] = json.loads(file.read_text())
        file.unlink()
        return flat(found)

    text = workload.model_dump_json()
    cold, again = state_in(containers.cold(text)), state_in(containers.cold(text))
    standby = containers.standby()
    standby.ready()
    standby.give(text)
    warm = state_in(standby)

    assert len(cold) > 50_000  # it looked at every module
    of_any_process = differing(cold, again)  # addresses, random names, times
    assert len(of_any_process) < 60
    found = differing(cold, warm)
    assert {key: (cold.get(key), warm.get(key)) for key in found - of_any_process - set(ALLOWED)} == {}
    assert set(ALLOWED) <= found, "an entry that is not needed any more"
    # Both at length, because their values differ in any two processes.
    assert cold["command line"][0].strip(" \0") == warm["command line"][0].strip(" \0")
    assert [each for each in warm["stack"] if not each.startswith(("<string>", "<frozen runpy>"))] == [
        each for each in cold["stack"] if not each.startswith("<frozen runpy>")
    ]
    assert warm["modules logging _startTime"] > cold["modules logging _startTime"]
