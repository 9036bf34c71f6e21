"""Plays the containers of many standbys at once: each looks at its S3 object as often as a real one, and runs nothing.

It stands for a hundred machines, so it keeps no Airflow imported and no process for each. What it reads, and when, is
what real standbys would.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import aiohttp

_SHORTEST, _LONGEST = 0.5, 1.5
"""Seconds between two looks of a standby (`standby/waiting.py`)."""
_AUTHORIZATION = {"Authorization": "AWS4-HMAC-SHA256 Credential=benchmark/20200101/us-east-1/s3/aws4_request"}


def play(connection: Connection, s3: str) -> None:
    """Play each standby whose URL (`s3://...`) is received; after None, send when each has got its workload, and end.

    Times are in epoch seconds.
    """
    connection.send(asyncio.run(_play(connection, s3)))


async def _play(connection: Connection, s3: str) -> Mapping[str, float]:
    got: dict[str, float] = {}
    players: list[asyncio.Task[None]] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        while True:
            while connection.poll():
                url = connection.recv()
                if url is None:
                    for player in players:
                        player.cancel()
                    await asyncio.gather(*players, return_exceptions=True)
                    return got
                players.append(asyncio.create_task(_wait(session, s3, url, got)))
            await asyncio.sleep(0.05)


async def _wait(session: aiohttp.ClientSession, s3: str, url: str, got: dict[str, float]) -> None:
    address = f"{s3}/{url.removeprefix('s3://')}"
    while url not in got:
        with suppress(aiohttp.ClientError):
            async with session.get(address, headers=_AUTHORIZATION) as answer:
                if answer.status == 200 and await answer.read():
                    got[url] = time.time()
        await asyncio.sleep(random.uniform(_SHORTEST, _LONGEST))  # noqa: S311  as the standby's own jitter


def url_of(body: Mapping[str, Any]) -> str:
    """Return the object's URL in a standby's RunTask request; empty for a run's request."""
    command = next(each["command"] for each in body["overrides"]["containerOverrides"] if "command" in each)
    return str(command[-1]) if "-c" in command else ""
