"""Programs of Debian that tests use, installed where that is allowed."""

import os
import shutil
import subprocess

APT_SECONDS = 300
WAIT = ("-o", f"DPkg::Lock::Timeout={APT_SECONDS}")
"""For whoever installs at the same time: two lanes that run side by side."""
FEW = ("--no-install-recommends",)


def apt_install(*packages: str) -> str:
    """Installs Debian packages. Returns why that was impossible, empty when it was done."""
    if not shutil.which("apt-get"):
        return "apt: not on this machine"
    if os.geteuid() != 0:
        return f"apt: only root may install {packages[0]}"
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", *WAIT, "update"], ["apt-get", *WAIT, "install", "-y", *FEW, *packages]):
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=APT_SECONDS)
        except subprocess.TimeoutExpired:
            return f"apt: {' '.join(command[3:5])} took longer than {APT_SECONDS} s"
    return "" if done.returncode == 0 else f"apt: {last_line(done.stderr)}"


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1] if text.strip() else "no reason given"
