"""Where and of what a report was made."""

import os
import platform
import subprocess

from processes import ROOT


def command_output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()


def commit():
    return command_output("git", "rev-parse", "--short=10", "HEAD") or "unknown"


def description():
    model = next(
        (line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"
