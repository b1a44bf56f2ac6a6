"""A processor that is slower than this one: a share of one core for a program and all that it starts.

In a control group, the kernel gives all processes together so many microseconds of processor in each period.
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
def program(path: str, share: float) -> Iterator[str | None]:
    """The path of a program that runs `path` with this share of a core; None where this system lends no control group.

    Whoever may not make groups (that takes root) gets None as well.
    """
    group = next((root for root in ROOTS if (root / "cgroup.procs").is_file()), ROOTS[-1]) / f"slow-{os.getpid()}"
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


def limit(group: Path, share: float) -> None:
    """Make a group with this share of a core. Raises OSError where that cannot be done."""
    quota = int(share * PERIOD)
    group.mkdir()
    try:
        if (group / "cpu.cfs_period_us").is_file():
            (group / "cpu.cfs_period_us").write_text(str(PERIOD))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD}")
    except OSError:
        group.rmdir()
        raise
