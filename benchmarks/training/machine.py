"""The machine: what it is, whether it holds still while something is measured, what a process has used."""

import os
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Pulse:
    """How the machine is at one moment.

    Attributes:
        moment: Seconds of a clock.
        calibration: Seconds of a fixed piece of work in one thread: the faster half of sixty short timings.
        stolen: Core seconds that the hypervisor has given to others since boot.
        busy: Core seconds that anybody on this machine has worked since boot.
        own: Core seconds that this process and its finished children have worked.
        granularity: Largest step in ms of which all of many short timings are multiples; 0 for a free clock.
    """

    moment: float
    calibration: float
    stolen: float
    busy: float
    own: float
    granularity: float


def pulse() -> Pulse:
    """Take the machine's pulse; costs a tenth of a second."""
    numbers = np.random.default_rng(0).random(20_000)
    seconds = []
    for _ in range(60):
        began = time.perf_counter()
        np.sort(numbers)
        seconds.append(time.perf_counter() - began)
    stat = Path("/proc/stat")
    ticks = [int(word) for word in stat.read_text().splitlines()[0].split()[1:9]] if stat.exists() else [0] * 8
    user, nice, system, _, _, irq, soft, stolen = (tick / os.sysconf("SC_CLK_TCK") for tick in ticks)
    spent = os.times()
    own = spent.user + spent.system + spent.children_user + spent.children_system
    fastest = sum(sorted(seconds)[:30])
    return Pulse(time.monotonic(), fastest, stolen, user + nice + system + irq + soft, own, _granularity(seconds))


def _granularity(seconds: list[float]) -> float:
    """Throttled machines run for a slice and sleep for a slice: long pauses then come in multiples of the slice."""
    pauses = [s * 1e3 for s in seconds if s > 20 * min(seconds)]
    for step in (10.0, 5.0, 4.0, 2.0):
        if len(pauses) > 3 and all(abs(p / step - round(p / step)) < 0.02 for p in pauses):
            return step
    return 0.0


def disturbances(before: Pulse, after: Pulse) -> list[str]:
    """Return, in words, what speaks against a measurement taken between two pulses."""
    found = []
    ratio = after.calibration / before.calibration
    if not 0.8 < ratio < 1.25:
        found.append(f"the same arithmetic took {ratio:.2f} times as long afterwards")
    wall = after.moment - before.moment
    if after.stolen - before.stolen > 0.02 * wall:
        found.append(f"the hypervisor took {(after.stolen - before.stolen) / wall:.0%} of a core away")
    others = (after.busy - before.busy) - (after.own - before.own)
    if others > 0.1 * wall:
        found.append(f"other processes used {others / wall:.0%} of a core")
    if max(before.granularity, after.granularity):
        found.append("pauses come in exact multiples of a few ms: the machine is throttled")
    return found


def describe() -> dict[str, Any]:
    """Return what the machine is."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    pulse_now = asdict(pulse())
    return {
        "cpu": model, "cores": cores, "memory_gib": round(memory, 1), "system": platform.platform(),
        "python": platform.python_version(), "pulse": pulse_now,
    }  # fmt: skip


def peak_memory() -> float:
    """Return the largest resident memory of this process so far, in MiB; not its parent's, as getrusage's may be."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines["VmHWM"].split()[0]) / 1024
