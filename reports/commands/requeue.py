"""Having SLURM start a job again that has run out of its time."""

import os
import shutil
import subprocess

from rich.console import Console

from ablations.registration import RequestError
from alexnet.text import shown
from reports.commands.console import say

JOB = "SLURM_JOB_ID"
"""The variable that names a job; each task of an array has a number of its own."""
PATIENCE = 60
"""Seconds for the scheduler's answer."""


def refuse_outside_slurm() -> None:
    """Refuse to be started again by nobody.

    Raises:
        RequestError: If this is no job, or a job that cannot reach its scheduler.
    """
    if not os.environ.get(JOB):
        raise RequestError(
            f"--requeue has SLURM start its job again, and this is none ({JOB} is not set); leave "
            "it out, and give the same command again to go on"
        )
    if shutil.which("scontrol") is None:
        raise RequestError(
            "--requeue calls scontrol, which is not on the PATH here; add it, or leave --requeue "
            "out and submit the same job again to go on"
        )


def start_again(console: Console) -> None:
    """Have SLURM start this job again once it has ended, and say whether it will."""
    job = os.environ[JOB]
    try:
        done = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, timeout=PATIENCE
        )
        failed = done.returncode != 0
        why = (done.stderr or done.stdout).strip().splitlines()
        said = why[-1] if why else f"exit code {done.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        failed, said = True, str(error)
    if failed:
        say(
            console,
            "NOT REQUEUED",
            f"scontrol requeue {shown(job)}: {shown(said)}; the same job, submitted again, goes on",
        )
        return
    say(console, "requeued", f"SLURM starts job {shown(job)} again, and it goes on")
