"""Jobs on real Ray processes: order, retries, recycling, and what becomes of faults."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.parallel.tasks import in_order, run_on_ray


def worker(folder: Path, threads: int) -> Callable[[str], Iterator[tuple[str, int, int, int]]]:
    """Yields two results a job; the jobs `refuse`, `die N` and `die, refuse` do what they say."""

    def work(job: str) -> Iterator[tuple[str, int, int, int]]:
        if job == "die, refuse" and list(folder.glob(f"{job}-*")):
            raise UserError("clip8.mp4 cannot be used")
        yield f"{job} 0", os.getpid(), threads, os.nice(0)
        if job == "refuse":
            raise UserError("clip7.mp4 cannot be used")
        if job.startswith("die"):
            trace = folder / f"{job}-{os.getpid()}"
            trace.touch()
            deaths = 1 if "refuse" in job else int(job.split()[1])
            if len(list(folder.glob(f"{job}-*"))) <= deaths:
                os.kill(os.getpid(), signal.SIGKILL)
        yield f"{job} 1", os.getpid(), threads, os.nice(0)

    return work


@pytest.mark.slow
def test_a_job_whose_process_dies_is_done_again_and_nothing_comes_twice(tmp_path: Path):
    jobs = ["a", "die 2", "b", "c"]
    found = list(run_on_ray(worker, (tmp_path,), jobs, workers=2, retries=2))
    results = sorted((number, result[0]) for number, result in found)
    assert results == [(n, f"{job} {part}") for n, job in enumerate(jobs) for part in (0, 1)]
    assert len(list(tmp_path.glob("die 2-*"))) == 3
    threads, niceness = ({result[at] for _, result in found} for at in (2, 3))
    assert threads == {max(1, (os.cpu_count() or 1) // 2)}
    assert niceness == {os.nice(0)}  # Ray's default would give way to all other work


@pytest.mark.slow
def test_processes_make_room_and_faults_are_raised_here(tmp_path: Path):
    jobs = [str(n) for n in range(6)]
    found = list(run_on_ray(worker, (tmp_path,), jobs, workers=1, jobs_per_process=2))
    assert len({pid for _, (_, pid, *_) in found}) >= 3
    with pytest.raises(UserError, match=r"clip7\.mp4"):
        list(run_on_ray(worker, (tmp_path,), ["a", "refuse"], workers=1))
    with pytest.raises(UserError, match=r"clip8\.mp4"):  # raised before the place of the death
        list(run_on_ray(worker, (tmp_path,), ["die, refuse"], workers=1, retries=5))
    with pytest.raises(UserError, match="died"):
        list(run_on_ray(worker, (tmp_path,), ["die 9"], workers=1))


def test_no_job_starts_no_process_and_results_are_put_in_order():
    assert list(in_order(iter([(1, "b"), (2, "c"), (0, "a"), (3, "d")]))) == ["a", "b", "c", "d"]
    assert list(in_order(iter([]))) == []
