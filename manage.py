#!/usr/bin/env python
"""Django's command line. `python manage.py help` lists the commands. A broken setting is one line, not a traceback."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "playground.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        django.setup()
    except (ValueError, OSError, ImproperlyConfigured) as error:
        sys.exit(f"manage.py: {' '.join(str(error).split())}")
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"manage.py: the database: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
