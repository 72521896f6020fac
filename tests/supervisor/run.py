"""Runs the supervisor over a Procfile of stand-ins, the way the `up` command does, without Django.

python -m tests.supervisor.run PROCFILE DATA_DIR PORT SANDBOX_PORT
"""

import os
import sys
from pathlib import Path

from playground.supervisor.environment import service_environment
from playground.supervisor.guard import run_guarded
from playground.supervisor.keeper import Plan, keep
from playground.supervisor.preflight import check_data_dir, check_port, hold_lock
from playground.supervisor.procfile import StartError, read_procfile


def main(procfile: str, data: str, port: str, sandbox_port: str) -> int:
    folder = Path(data)
    try:
        commands = read_procfile(Path(procfile))
        check_data_dir(folder)
        lock = hold_lock(folder)
        check_port(variable="PORT", host="127.0.0.1", port=int(port))
    except StartError as error:
        sys.exit(f"up: {error}")
    plan = Plan(
        commands=commands,
        cwd=Path.cwd(),
        logs=folder / "logs",
        environment=service_environment(os.environ, {"PORT": port, "SANDBOX_PORT": sandbox_port}),
        host="127.0.0.1",
        port=int(port),
        sandbox_port=int(sandbox_port),
        announce=lambda: ["Playground ready: stand-ins"],
    )
    with lock:
        return run_guarded(lambda alive: keep(plan, alive))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
