"""Whether the database keeps what it says that it has written.

An order's row is committed before the order is sent. A PostgreSQL server that answers before the row is on its disk
may lose it when it crashes, and with it an order that was paid. SQLite is opened with synchronous FULL by our settings.
A warning, no refusal: it takes a crash of the server to do harm, the gallery harms nobody meanwhile, and a setting
that is changed later would pass a refusal at the start all the same. See docs/operations.md, "Beyond one machine".
"""

import structlog
from django.db import connection

log = structlog.get_logger(__name__)


def doubts() -> str:
    """Why this connection's commits may be forgotten, as one line; "" when they are kept. Raises DatabaseError."""
    if connection.vendor != "postgresql":
        return ""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('fsync'), current_setting('synchronous_commit')")
        fsync, commit = cursor.fetchone()
    wrong = []
    if fsync == "off":
        wrong.append("fsync is off")
    if commit == "off":
        wrong.append("synchronous_commit is off")
    if commit == "local":
        wrong.append("synchronous_commit is local, so no standby is waited for")
    if not wrong:
        return ""
    return (
        f"PostgreSQL: {' and '.join(wrong)}. After a crash it may have forgotten an order that was paid: set it to on"
    )


def warn() -> None:
    """At the start of a worker: one line in the log when there are doubts."""
    if why := doubts():
        log.warning("database_may_forget", why=why)
