"""`python -m playground.sandbox --port 8001 --profile lumenfall --data var/sandbox`: the imitation gateway."""

import argparse
import os
import sys

FLAGS = {"profile": "SANDBOX_PROFILE", "data": "SANDBOX_DATA", "job_seconds": "SANDBOX_JOB_SECONDS"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("SANDBOX_PORT") or 8001), help="0: a free one")
    parser.add_argument(
        "--profile", choices=("lumenfall", "openai"), default=os.environ.get("SANDBOX_PROFILE", "lumenfall")
    )
    parser.add_argument("--data", help="folder for the database and the clips (SANDBOX_DATA)")
    parser.add_argument("--job-seconds", help='time a job takes, such as "10-15" (SANDBOX_JOB_SECONDS)')


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m playground.sandbox", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args()
    for name, variable in FLAGS.items():
        if getattr(options, name) is not None:
            os.environ[variable] = getattr(options, name)
    os.environ["DJANGO_SETTINGS_MODULE"] = "playground.sandbox.settings"
    sys.exit(run(options.host, options.port, options.profile))


def run(host: str, port: int, profile: str) -> int:
    """Serve; returns an exit code only when that could not begin, after one clear line."""
    os.umask(os.umask(0o027) | 0o027)  # prompts are in its files: for this user and group only
    try:
        from . import settings
    except (OSError, ValueError) as error:
        print(f"Sandbox cannot start: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return 2
    from .server import Taken, lock_folder, serve

    settings.OWN_NAMES.add(host.lower())

    try:
        lock = lock_folder(settings.SANDBOX_DATA)
    except (OSError, Taken) as error:
        print(f"Sandbox cannot start: {error}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        serve(host, port, profile)
    except (OSError, OverflowError) as error:
        print(f"Sandbox cannot listen on {host}:{port}: {error}", file=sys.stderr)  # noqa: T201
    finally:
        lock.close()
    return 2


if __name__ == "__main__":
    main()
