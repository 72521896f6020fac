"""The environment of the services: what the settings have worked out, said to all of them alike."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

JOB_SECONDS = "10-15"
"""How long a sandbox job takes under `up`: long enough to watch it live."""


def service_environment(base: Mapping[str, str], settings: Mapping[str, object]) -> dict[str, str]:
    """`base` with the values of the settings, this interpreter's folder first on the path, and unbuffered output."""
    environment = dict(base)
    environment.update({name: str(value) for name, value in settings.items()})
    environment.setdefault("SANDBOX_JOB_SECONDS", JOB_SECONDS)
    environment.setdefault("SANDBOX_HOOK_LOOPBACK", "true")
    environment["PYTHONUNBUFFERED"] = "1"
    folder = str(Path(sys.executable).parent)
    path = environment.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != folder:
        environment["PATH"] = folder + os.pathsep + path
    return environment
