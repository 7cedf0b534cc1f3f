"""Whether a process that a test did not start itself has ended."""

import time
from pathlib import Path


def ended(pid, seconds=120):
    """Whether a process ends within some time; one that nobody waits for has ended too."""
    begin = time.monotonic()
    while _runs(pid):
        if time.monotonic() > begin + seconds:
            return False
        time.sleep(0.05)
    return True


def _runs(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
