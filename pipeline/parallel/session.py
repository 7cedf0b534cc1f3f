"""A Ray session on this machine or a cluster, and each worker's share of its machines."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Frames are large: by its defaults glibc asks the system for each anew, a page fault every 4 kB.
# What is kept so is given back after each shard, see `pipeline.run.shard_writer`.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(256 << 20), "MALLOC_TRIM_THRESHOLD_": str(512 << 20)}

_TRIES = 3  # of starting Ray
_LATE = "timed out during startup"  # in what it says of a machine that is too busy


@dataclass(frozen=True)
class Share:
    """What each worker asks of the cluster.

    Attributes:
        cpus: less than a whole one, so that two cores hold two workers and whatever else runs.
        gpus: a fraction, where the landmark backend uses one.
        threads: that it may use inside OpenCV and torch.
    """

    cpus: float
    gpus: float
    threads: int

    @classmethod
    def of(cls, resources: Mapping[str, float], workers: int, *, gpu: bool) -> Share:
        """The share of each of `workers` in a cluster's resources.

        Half of the processors at most are asked for: when machines go away, those that stay must
        hold the workers all the same, since one that finds no place waits for ever.
        """
        cpus, gpus = resources.get("CPU", 1.0), resources.get("GPU", 0.0)
        return cls(
            cpus=min(0.5, cpus / (2 * workers)),
            gpus=min(1.0, gpus / workers) if gpu else 0.0,
            threads=max(1, int(cpus // workers)),
        )


@contextmanager
def ray_session(address: str | None) -> Iterator[Any]:
    """A Ray session without dashboard, log spam or usage statistics."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = address or os.environ.get("RAY_ADDRESS")
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        if address:
            _knock(address)
            ray.init(address=address, **common)
        else:
            # Frames never pass through the object store: paths and rows fit into little of it.
            _start(ray, include_dashboard=False, object_store_memory=100 << 20, **common)
    except OSError as error:
        raise UserError(f"no Ray cluster answers at {address}: {error}") from error
    # Ray's own handler aborts the process three seconds later, in the midst of tidying up.
    if threading.current_thread() is threading.main_thread() and terminated is not None:
        signal.signal(signal.SIGTERM, terminated)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: Any, **how: Any) -> None:
    """Starts Ray on this machine; it gives a busy one half a minute each time.

    Raises:
        UserError: it is never there in time.
    """
    for _ in range(_TRIES):
        try:
            ray.init(address="local", **how)
        except Exception as error:
            if _LATE not in str(error):
                raise
        else:
            return
    raise UserError(
        f"Ray did not start in {_TRIES} tries; the machine is busy, or short of memory: end other "
        "work on it and give the same command again"
    )


def _knock(address: str) -> None:
    """Raises an `OSError` at once if nothing listens; Ray by itself tries for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():  # and not "auto"
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
