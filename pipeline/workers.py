"""Ray: workers spread over a cluster, their share of its machines, and what if one of them dies."""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError
from pipeline.writer import ShardWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.options import PrepOptions
    from pipeline.store import Folder
    from pipeline.writer import Said, Task

# Frames are large: by its defaults glibc asks the system for each anew, a page fault every 4 kB.
# What is kept so is given back after each shard, see `pipeline.writer`.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(256 << 20), "MALLOC_TRIM_THRESHOLD_": str(512 << 20)}
_PATIENCE = 2  # deaths of a worker on a clip that was announced, until the clip is given up
_STILLBORN = 5  # workers in a row that die before they are there, until the run is given up
# Clips after which a worker makes room for a new one. In a Ray process, memory grows by some 5 %
# over a thousand clips (it does not without Ray); a new worker costs a second or two.
_LIFE = 1000
_GIVEN_UP = (
    "the worker process died on it {deaths} times: out of memory, or a fault in a decoder; "
    "see if the video plays, or convert it"
)


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


@dataclass
class _Job:
    """A task, and what is known of its way through the workers."""

    task: Task
    ended: set[str] = field(default_factory=set)
    opened: str = ""
    deaths: dict[str, int] = field(default_factory=dict)


def run_on_ray(
    out: Folder,
    tasks: Sequence[Task],
    options: PrepOptions,
    *,
    workers: int | None,
    address: str | None,
    weights_dir: Path | None,
) -> Iterator[list[dict[str, Any]]]:
    """Has tasks done by Ray actors, and yields the rows of each clip as it ends.

    A task whose worker dies is done again by another. From then on the worker announces every clip
    before it opens it, and a clip on which it dies twice more is given up.

    Args:
        out: the data set's folder, which all workers see.
        tasks: what is to do.
        options: of the run.
        workers: how many at most; None: one for each processor of the cluster.
        address: of a running Ray cluster; None starts one on this machine.
        weights_dir: the user's folder of pretrained files.
    """
    with ray_session(address) as ray:
        resources = ray.cluster_resources()
        count = min(workers or int(resources.get("CPU", 1)), len(tasks))
        share = Share.of(resources, count, gpu=options.landmarks == "fan")
        pool = _Pool(ray, share, (out.absolute(), options, weights_dir, share.threads))
        for _ in range(count):
            pool.start()
        queue = [_Job(task) for task in reversed(tasks)]
        while queue or pool.running:
            while queue and pool.idle:
                pool.give(queue.pop())
            job, said = pool.wait()
            if job is None:
                continue
            if said is None:
                queue.append(job)  # its worker died
            elif said.rows is None:
                job.opened = said.clip_id
            elif said.clip_id not in job.ended:
                job.ended.add(said.clip_id)
                yield said.rows


class _Pool:
    """Actors that start, wait for work, or work."""

    def __init__(self, ray: Any, share: Share, arguments: tuple[Any, ...]) -> None:
        self._ray = ray
        self._arguments = arguments
        environment = {"OMP_NUM_THREADS": str(share.threads), "PYTHONWARNINGS": "ignore", **MALLOC}
        # The default strategy would fill one machine before it looks at the next.
        self._actor = ray.remote(ShardWriter).options(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_restarts=0,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": environment},
        )
        self._starting: dict[Any, Any] = {}
        self._stillborn = 0
        self._served: Counter[Any] = Counter()
        self.idle: list[Any] = []
        self.running: dict[Any, tuple[Any, _Job]] = {}

    def start(self) -> None:
        """Asks for one more actor."""
        actor = self._actor.remote(*self._arguments)
        self._starting[actor.ready.remote()] = actor

    def give(self, job: _Job) -> None:
        """Has an idle actor do a task."""
        actor = self.idle.pop()
        said = actor.write.options(num_returns="streaming").remote(job.task)
        self.running[said] = (actor, job)

    def wait(self) -> tuple[_Job | None, Said | None]:
        """What comes next: something said of a job; None of one whose worker died; or nothing.

        Raises:
            UserError: actors do not start.
            Exception: whatever a task raised.
        """
        from ray.exceptions import RayError, RayTaskError

        (ready, *_), _ = self._ray.wait([*self._starting, *self.running], num_returns=1)
        try:
            if ready in self._starting:
                self._ray.get(ready)
                self.idle.append(self._starting.pop(ready))
                self._stillborn = 0
                return None, None
            said = self._ray.get(next(ready))
            return self.running[ready][1], said
        except StopIteration:
            self._return(*self.running.pop(ready))
            return None, None
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            self.start()
            if ready in self._starting:
                del self._starting[ready]
                self._stillborn += 1
                if self._stillborn > _STILLBORN:
                    raise UserError(f"the workers do not start: {error}") from error
                return None, None
            return self._mourn(self.running.pop(ready)[1], error), None

    def _return(self, actor: Any, job: _Job) -> None:
        """Takes back an actor whose task is done, or puts a new one in its place."""
        self._served[actor] += len(job.task.shard.rows)
        if self._served[actor] < _LIFE:
            self.idle.append(actor)
            return
        del self._served[actor]
        self._ray.kill(actor)
        self.start()

    def _mourn(self, job: _Job, error: Exception) -> _Job:
        """The job as another worker is to do it.

        Raises:
            UserError: workers die again and again before they open a clip.
        """
        task = job.task
        clip, job.opened = job.opened if task.announce else "", ""
        job.deaths[clip] = deaths = job.deaths.get(clip, 0) + 1
        if clip and deaths >= _PATIENCE:
            # The first death, before clips were announced, was most likely of this one too.
            reason = _GIVEN_UP.format(deaths=deaths + job.deaths.get("", 0))
            task = replace(task, given_up={**task.given_up, clip: reason})
        elif not clip and deaths > _PATIENCE + 1:
            raise UserError(f"workers die before they open a clip: {error}") from error
        job.task = replace(task, announce=True)
        return job


@contextmanager
def ray_session(address: str | None) -> Iterator[Any]:
    """A Ray session without dashboard, log spam or usage statistics."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    common: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    address = address or os.environ.get("RAY_ADDRESS")
    try:
        if address:
            _knock(address)
            ray.init(address=address, **common)
        else:
            # Frames never pass through the object store: paths and rows fit into little of it.
            ray.init(
                address="local", include_dashboard=False, object_store_memory=100 << 20, **common
            )
    except OSError as error:
        raise UserError(f"no Ray cluster answers at {address}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises an `OSError` at once if nothing listens; Ray by itself tries for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():  # and not "auto"
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
