"""`python -m playground.supervisor`: `manage.py up`, but a broken setting or an early Ctrl-C is no traceback."""

import os
import sys

STOPPED = 128 + 2
"""As a shell says of a program that Ctrl-C ended."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "playground.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        django.setup()
    except (ValueError, OSError, ImproperlyConfigured) as error:
        sys.exit(f"up: {' '.join(str(error).split())}")
    execute_from_command_line(["manage.py", "up", *sys.argv[1:]])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:  # it looks after signals itself only once its programs run
        sys.exit(STOPPED)
