"""`python -m playground.supervisor`: as `manage.py up`, but a broken setting is one line, not a traceback."""

import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "playground.settings")
    from django.core.management import execute_from_command_line

    try:
        django.setup()
    except (ValueError, OSError, ImproperlyConfigured) as error:
        sys.exit(f"up: {' '.join(str(error).split())}")
    execute_from_command_line(["manage.py", "up", *sys.argv[1:]])


if __name__ == "__main__":
    main()
