"""Jobs spread over the processes of a Ray session; preparation, scoring and sampling use this."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import uuid4

from pipeline.errors import UserError
from pipeline.parallel.session import ray_session

Job = TypeVar("Job")
Result = TypeVar("Result")

# Frames are large: by its defaults glibc asks the system for each anew, a page fault every 4 kB.
# What a process keeps so it can give back with `malloc_trim`, see `pipeline.run.shard_writer`.
_ENVIRONMENT = {
    "MALLOC_MMAP_THRESHOLD_": str(256 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
    "PYTHONWARNINGS": "ignore",
}

_workers: dict[str, Any] = {}  # in a Ray process: what it does jobs with, by pool


def share_of(
    resources: Mapping[str, float], workers: int, *, gpu: bool
) -> tuple[float, float, int]:
    """What each of `workers` asks of a cluster: CPUs, GPUs, and threads inside OpenCV and torch.

    Half of the processors at most are asked for: when machines go away, those that stay must hold
    the workers all the same, since one that finds no place waits for ever.
    """
    cpus, gpus = resources.get("CPU", 1.0), resources.get("GPU", 0.0)
    threads = max(1, int(cpus // workers))
    return min(0.5, cpus / (2 * workers)), min(1.0, gpus / workers) if gpu else 0.0, threads


def run_on_ray(
    make_worker: Callable[..., Callable[[Job], Iterable[Result]]],
    arguments: tuple[Any, ...],
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    address: str | None = None,
    gpu: bool = False,
    retries: int = 0,
    jobs_per_process: int = 0,
) -> Iterator[tuple[int, Result]]:
    """Has jobs done by several processes and yields (number of the job, result) as results come.

    A process makes its worker once, with `make_worker(*arguments, threads)`, and calls it with one
    job after another, for an iterable of results; everything must be picklable. Paths must be
    absolute: processes have another working directory, perhaps on another machine.

    Args:
        make_worker: gives a function from a job to its results, which may be a generator.
        arguments: for `make_worker`, before the number of threads.
        jobs: what is to do, begun in this order.
        workers: how many processes at most; None: one for each processor of the cluster.
        address: of a running Ray cluster; None starts one on this machine.
        gpu: whether the processes share the cluster's GPUs.
        retries: how often a job is done again whose process died; results that came before are
            not yielded twice.
        jobs_per_process: after which a process makes room for a new one; 0: never.

    Raises:
        UserError: no cluster answers, or a process died more than `retries` times.
        Exception: whatever a job raised.
    """
    with ray_session(address) as ray:
        from ray.exceptions import RayError, RayTaskError

        resources = ray.cluster_resources()
        count = min(workers or int(resources.get("CPU", 1)), len(jobs))
        cpus, gpus, threads = share_of(resources, max(count, 1), gpu=gpu)
        task = ray.remote(
            num_cpus=cpus,
            num_gpus=gpus,
            max_retries=retries,
            max_calls=jobs_per_process,
            num_returns="streaming",
            scheduling_strategy="SPREAD",  # the default would fill one machine before the next
            runtime_env={"env_vars": {"OMP_NUM_THREADS": str(threads)} | _ENVIRONMENT},
        )(_do).options(name=getattr(make_worker, "__name__", "worker"))
        pool = uuid4().hex

        def begin(number: int, skip: int = 0) -> None:
            worker = (make_worker, (*arguments, threads))
            running[task.remote(pool, *worker, jobs[number], skip)] = number

        running: dict[Any, int] = {}
        received: Counter[int] = Counter()
        queue = iter(range(len(jobs)))
        while True:
            for number in itertools.islice(queue, count - len(running)):
                begin(number)
            if not running:
                return
            (stream, *_), _ = ray.wait(list(running), num_returns=1)
            try:
                result = ray.get(next(stream))
            except StopIteration:
                # Ray loses what a retry raised before it came to where the last process died;
                # begun anew, the job raises it again.
                number = running.pop(stream)
                begin(number, skip=received[number])
            except RayTaskError as error:
                raise error.cause from error
            except RayError as error:
                first_line = str(error).partition("\n")[0].rstrip(".")
                raise UserError(
                    f"a worker process died ({first_line}); the same command carries on where it "
                    "stopped, with fewer --workers if memory is short"
                ) from error
            else:
                if isinstance(result, _Done):
                    del running[stream]
                else:
                    received[running[stream]] += 1
                    yield running[stream], result


class _Done:
    """What comes after the last result of a job."""


def _do(
    pool: str,
    make_worker: Callable[..., Callable[[Job], Iterable[Result]]],
    arguments: tuple[Any, ...],
    job: Job,
    skip: int,
) -> Iterator[Result | _Done]:
    """One job, in a Ray process: its results after the first `skip`, which came before."""
    if pool not in _workers:
        _workers.clear()
        _workers[pool] = make_worker(*arguments)
    yield from (result for result in itertools.islice(_workers[pool](job), skip, None))
    yield _Done()


def in_order(numbered: Iterator[tuple[int, Result]]) -> Iterator[Result]:
    """Results in the order of their jobs, of jobs that have one result each."""
    waiting: dict[int, Result] = {}
    for number in itertools.count():
        while number not in waiting:
            try:
                ready, result = next(numbered)
            except StopIteration:
                return
            waiting[ready] = result
        yield waiting.pop(number)
