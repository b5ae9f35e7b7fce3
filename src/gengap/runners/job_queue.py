"""What a study's process and its workers pass each other: an actor that looks into nothing, and so imports nothing."""

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, final

Job = tuple[str, list[Any]]
"""Name of a job, and in a list (which Ray leaves closed) the reference of what it is."""


@final
class JobQueue:
    """Jobs one way, mail the other. Workers ask for the next job, so none waits while there is one left."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._held: dict[str, str] = {}
        self._gone: set[str] = set()
        self._mail: list[bytes] = []
        self._closed = False
        self._news = asyncio.Condition()

    async def offer(self, *jobs: Job) -> None:
        """Add jobs behind those that wait."""
        async with self._news:
            self._jobs.extend(jobs)
            self._news.notify_all()

    async def next(self, worker: str) -> Job | None:
        """Return a job for a worker as soon as there is one; None when no more will come, or the worker is given up."""
        async with self._news:
            await self._news.wait_for(lambda: bool(self._jobs) or self._closed or worker in self._gone)
            if worker in self._gone or not self._jobs:
                return None
            job = self._jobs.popleft()
            self._held[worker] = job[0]
            return job

    async def put(self, worker: str, parcel: bytes, *, done: bool) -> None:
        """Leave mail for the study's process; `done` says that the worker's job is done with it."""
        async with self._news:
            self._mail.append(parcel)
            if done:
                self._held.pop(worker, None)
            self._news.notify_all()

    async def take(self, seconds: float) -> list[bytes]:
        """Return all mail since the last call, in the order in which it came; wait for some so many seconds at most."""
        async with self._news:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait_for(lambda: bool(self._mail) or self._closed), seconds)
            parcels, self._mail = self._mail, []
            return parcels

    async def give_up(self, worker: str) -> str | None:
        """Give a lost worker no more jobs, and return the name of the one that it held."""
        async with self._news:
            self._gone.add(worker)
            self._news.notify_all()
            return self._held.pop(worker, None)

    async def close(self) -> None:
        """Send all workers home once the jobs are done."""
        async with self._news:
            self._closed = True
            self._news.notify_all()
