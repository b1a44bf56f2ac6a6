"""A processor that is slower than this one: a share of one core for a program and all that it starts.

In a control group, the kernel gives all processes together so many microseconds of processor in each period. It goes
before all else that runs here, so that other work does not slow it further.
[kernel.org, admin-guide/cgroup-v1 and cgroup-v2, CPU bandwidth control]
"""

import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PERIOD = 10_000  # microseconds: short, so that the slowness is even
ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))  # version 1, version 2


@contextmanager
def program(path: str, share: float | None = None) -> Iterator[str | None]:
    """The path of a program that runs `path` before all else, with this share of a core at most; None where it cannot.

    It takes Linux, and root: who else may make control groups?
    """
    group = (
        next((root for root in ROOTS if (root / "cgroup.procs").is_file()), ROOTS[-1]) / f"slow-{os.getpid()}-{share}"
    )
    try:
        limit(group, share)
    except OSError:
        yield None
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "slow"
            joined = shlex.quote(str(group / "cgroup.procs"))
            script.write_text(f'#!/bin/sh\necho $$ > {joined}\nexec {shlex.quote(path)} "$@"\n')
            script.chmod(0o755)
            yield str(script)
    finally:
        group.rmdir()


def limit(group: Path, share: float | None) -> None:
    """Make a group with this share of a core, or with no limit. Raises OSError where that cannot be done."""
    group.mkdir()
    try:
        if (group / "cpu.shares").is_file():
            settings = {"cpu.shares": 262_144, "cpu.cfs_period_us": PERIOD}
            settings |= {"cpu.cfs_quota_us": int(share * PERIOD)} if share else {}
        else:
            settings = {"cpu.weight": 10_000} | ({"cpu.max": f"{int(share * PERIOD)} {PERIOD}"} if share else {})
        for name, value in settings.items():
            (group / name).write_text(str(value))
    except OSError:
        group.rmdir()
        raise
