"""dh-prep run as a user runs it: not even as root may it read what it must not."""

import os
import shutil
import subprocess
from functools import cache

import pytest

from tests.datasets import DH_PREP


@cache
def _respecting_permissions() -> tuple[str, ...]:
    """What makes root respect file permissions; empty where that is not to be had."""
    words = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    if os.geteuid() or shutil.which("setpriv") is None:
        return ()
    return words if subprocess.run([*words, "true"], check=False).returncode == 0 else ()


def needs_permissions() -> None:
    """Skips where root cannot be made to respect file permissions."""
    if not os.geteuid() and not _respecting_permissions():
        pytest.skip("root may read everything here")


def run_with_permissions(*words: object) -> subprocess.CompletedProcess[str]:
    """dh-prep as a user runs it, who may not read everything."""
    return subprocess.run(
        [*_respecting_permissions(), DH_PREP, *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
