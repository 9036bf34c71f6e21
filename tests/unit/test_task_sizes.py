from __future__ import annotations

import pytest

from ecs_async_executor.task_sizes import FARGATE, cpu_units, fargate_has, mebibytes


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("256", 256),
        ("1 vCPU", 1024),
        ("1vcpu", 1024),
        (".25 vCPU", 256),
        ("0.5 VCPU", 512),
        (" 2  vCPU ", 2048),
        (" 256 ", 256),
        ("128", 128),
        ("196608", 196_608),
        ("127", None),
        ("196609", None),
        ("0", None),
        ("", None),
        ("-256", None),
        ("500m", None),
        ("0.5", None),
        ("1 CPU", None),
        ("0.3 vCPU", None),
        ("\u0662\u0665\u0666", None),
    ],
)
def test_cpu_is_a_number_of_units_or_of_vcpus(text: str, units: int | None) -> None:
    assert cpu_units(text) == units


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512", 512),
        ("1GB", 1024),
        ("0.5 gb", 512),
        ("30 GB", 30_720),
        ("0", None),
        ("2Gi", None),
        ("1 MB", None),
    ],
)
def test_memory_is_a_number_of_mebibytes_or_of_gigabytes(text: str, size: int | None) -> None:
    assert mebibytes(text) == size


def test_fargate_has_74_sizes() -> None:
    assert sum(map(len, FARGATE.values())) == 74


@pytest.mark.parametrize(
    ("cpu", "memory", "there"),
    [
        (256, 512, True),
        (256, 1024, True),
        (256, 2048, True),
        (256, 3072, False),
        (256, 256, False),
        (512, 1024, True),
        (512, 4096, True),
        (512, 512, False),
        (512, 5120, False),
        (1024, 2048, True),
        (1024, 8192, True),
        (1024, 2560, False),
        (1024, 9216, False),
        (2048, 4096, True),
        (2048, 16_384, True),
        (2048, 17_408, False),
        (4096, 8192, True),
        (4096, 30_720, True),
        (4096, 31_744, False),
        (8192, 16_384, True),
        (8192, 61_440, True),
        (8192, 17_408, False),
        (16_384, 32_768, True),
        (16_384, 122_880, True),
        (16_384, 36_864, False),
        (32_768, 65_536, False),
        (300, 1024, False),
    ],
)
def test_fargate_has_the_documented_sizes_and_no_others(cpu: int, memory: int, there: bool) -> None:
    assert fargate_has(cpu, memory) is there
