"""Workers of a run on Ray, spread over a cluster; what if one of them dies or hangs."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError
from pipeline.parallel.session import MALLOC, Share, ray_session
from pipeline.run.shard_writer import ShardWriter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.dataset.prep_options import PrepOptions
    from pipeline.run.shard_writer import Said, Task
    from pipeline.storage import Folder

_PATIENCE = 3  # deaths of workers at a clip, or where there is none, until it is given up
_STILLBORN = 5  # workers in a row that die before they are there, until the run is given up
# Clips after which a worker makes room for a new one. In a Ray process, memory grows by some 5 %
# over a thousand clips (it does not without Ray); a new worker costs a second or two.
_LIFE = 1000
_GIVEN_UP = (
    "the worker process died on it {deaths} times: out of memory, or a fault in a decoder; "
    "see if the video plays, or convert it"
)
_TOO_LONG = (
    "it took more than {minutes:g} minutes and was stopped; see if the video plays, or give "
    "--clip-minutes more"
)
_STUCK = (
    "workers that load the models or write {shard} took more than {minutes:g} minutes, {times} "
    "times; see if the disks answer that hold the pretrained files and the data set, or give "
    "--clip-minutes more"
)
_DYING = (
    "workers die at {shard} where no clip is open, {times} times: {error}; is there memory left, "
    "and can they read the pretrained files?"
)
_LOOK_EVERY = 60.0  # seconds at most between two looks at workers that say nothing


@dataclass
class _Job:
    """A task, and what is known of its way through the workers.

    Attributes:
        task: as the next worker is to do it.
        ended: clips whose rows have come.
        count: how many of them by the worker that has it now, which goes through them in order.
        announced: whether that worker says which clip it is about to open.
        opened: the clip that it announced last.
        heard: seconds of the clock, when that worker said something.
        deaths: of workers, by the clip that was open; none, or none that is known of: empty.
    """

    task: Task
    ended: set[str] = field(default_factory=set)
    count: int = 0
    announced: bool = False
    opened: str = ""
    heard: float = 0.0
    deaths: Counter[str] = field(default_factory=Counter)

    @property
    def current(self) -> str:
        """The clip that the worker is at; empty when it has been through all of them."""
        rest = self.task.shard.rows[self.count :]
        return rest[0].clip_id if rest else ""


def run_on_ray(
    out: Folder,
    tasks: Sequence[Task],
    options: PrepOptions,
    *,
    workers: int | None,
    address: str | None,
    weights_dir: Path | None,
    clip_minutes: float = math.inf,
) -> Iterator[list[dict[str, Any]]]:
    """Has tasks done by Ray actors, and yields the rows of each clip as it ends.

    A task whose worker dies or hangs is done again by another. From then on the worker announces
    every clip before it opens it, as a new worker does in its first task, and a clip on which
    workers die three times is given up. So is a clip that takes too long, at once: decoders and
    network disks can hang.

    Args:
        out: the data set's folder, which all workers see.
        tasks: what is to do.
        options: of the run.
        workers: how many at most; None: one for each processor of the cluster.
        address: of a running Ray cluster; None starts one on this machine.
        weights_dir: the user's folder of pretrained files.
        clip_minutes: the most for one clip.
    """
    with ray_session(address) as ray:
        resources = ray.cluster_resources()
        count = min(workers or int(resources.get("CPU", 1)), len(tasks))
        share = Share.of(resources, count, gpu=options.landmarks == "fan")
        arguments = (out.absolute(), options, weights_dir, share.threads)
        pool = _Pool(ray, share, arguments, clip_minutes)
        for _ in range(count):
            pool.start()
        queue = [_Job(task) for task in reversed(tasks)]
        while queue or pool.running:
            queue += pool.stop_late()
            while queue and pool.idle:
                pool.give(queue.pop())
            job, said = pool.wait()
            if job is None:
                continue
            if said is None:
                queue.append(job)  # its worker died
            elif said.rows is None:
                job.opened = said.clip_id
            else:
                job.count += 1
                if said.clip_id not in job.ended:
                    job.ended.add(said.clip_id)
                    yield said.rows


class _Pool:
    """Actors that start, wait for work, or work."""

    def __init__(
        self, ray: Any, share: Share, arguments: tuple[Any, ...], clip_minutes: float
    ) -> None:
        self._ray = ray
        self._arguments = arguments
        self._clip_minutes = clip_minutes
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
        # A new worker has its models still to load, which is no clip's fault if it goes wrong.
        job.announced = job.task.announce or not self._served[actor]
        # It opens a clip when the announcement has been heard: a clip can end it at once.
        ahead = 1 if job.announced else -1
        write = actor.write.options(
            num_returns="streaming", _generator_backpressure_num_objects=ahead
        )
        said = write.remote(replace(job.task, announce=job.announced))
        job.count, job.opened, job.heard = 0, "", time.monotonic()
        self.running[said] = (actor, job)

    def wait(self) -> tuple[_Job | None, Said | None]:
        """What comes next: something said of a job; None of one whose worker died; or nothing.

        Raises:
            UserError: actors do not start.
            Exception: whatever a task raised.
        """
        from ray.exceptions import RayError, RayTaskError

        look = min(_LOOK_EVERY, 60 * self._clip_minutes)
        waiting = [*self._starting, *self.running]
        found, _ = self._ray.wait(waiting, num_returns=1, timeout=look)
        if not found:
            return None, None
        ready = found[0]
        try:
            if ready in self._starting:
                self._ray.get(ready)
                self.idle.append(self._starting.pop(ready))
                self._stillborn = 0
                return None, None
            said = self._ray.get(next(ready))
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
            _, job = self.running.pop(ready)
            first_line = str(error).splitlines()[0].rstrip(".")
            why = _DYING.format(shard=job.task.shard.name, times=_PATIENCE + 1, error=first_line)
            return self._mourn(job, why), None
        job = self.running[ready][1]
        job.heard = time.monotonic()
        return job, said

    def _return(self, actor: Any, job: _Job) -> None:
        """Takes back an actor whose task is done, or puts a new one in its place."""
        self._served[actor] += len(job.task.shard.rows)
        if self._served[actor] < _LIFE:
            self.idle.append(actor)
            return
        del self._served[actor]
        self._ray.kill(actor)
        self.start()

    def stop_late(self) -> list[_Job]:
        """Stops the workers that have been at one clip for too long, and takes back their jobs."""
        latest = time.monotonic() - 60 * self._clip_minutes
        late = [said for said, (_, job) in self.running.items() if job.heard <= latest]
        stopped = []
        for said in late:
            if self._ray.wait([said], timeout=0)[0]:
                continue  # it has said something that nobody has heard yet
            actor, job = self.running.pop(said)
            self._ray.kill(actor)
            self.start()
            stopped.append(self._without(job))
        return stopped

    def _without(self, job: _Job) -> _Job:
        """The job less the clip that its worker was at.

        Raises:
            UserError: the worker hung where there is no clip, again and again.
        """
        minutes = self._clip_minutes
        if not job.current or (job.announced and job.opened != job.current):
            shard = job.task.shard.name
            return self._mourn(
                job, _STUCK.format(shard=shard, minutes=minutes, times=_PATIENCE + 1)
            )
        self._give_up(job, job.current, _TOO_LONG.format(minutes=minutes))
        return job

    def _mourn(self, job: _Job, why: str) -> _Job:
        """The job as another worker is to do it.

        Args:
            job: whose worker is no more.
            why: the sentence about it if it was no clip's fault, `_PATIENCE` times and once more.

        Raises:
            UserError: it happened again and again where there is no clip.
        """
        clip = job.current if job.opened == job.current else ""
        job.deaths[clip] += 1
        # The first death, before clips were announced, was most likely of this one too.
        deaths = job.deaths[clip] + (job.deaths[""] if clip else 0)
        if clip and job.deaths[clip] > 1 and deaths >= _PATIENCE:
            self._give_up(job, clip, _GIVEN_UP.format(deaths=deaths))
        elif not clip and deaths > _PATIENCE:
            raise UserError(why)
        job.task = replace(job.task, announce=True)
        return job

    def _give_up(self, job: _Job, clip: str, reason: str) -> None:
        given_up = {**job.task.given_up, clip: reason}
        job.task = replace(job.task, given_up=given_up, announce=True)
