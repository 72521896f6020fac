"""Files for a spreadsheet: written at once, then sent as films are, so that a slow reader holds no connection of the
database. Only few of one person, and some in all, are under way in each web process.
"""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from tempfile import TemporaryFile

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from playground.media import storage
from playground.media.serve import release_connections
from playground.media.streams import FileSlice, StreamSlots
from playground.services import few_of_one
from playground.views.access import MemberRequest
from playground.views.errors import too_many_files

OF_ONE = 2
AT_ONCE = 8
SMALL_BYTES = 256 * 1024
"""Up to this a file is handed over whole, and nothing is held by however slow a reader."""
LONGEST_S = 600.0
"""After this the connection is broken off."""

_places = StreamSlots()


def csv_file(request: MemberRequest, blocks: Iterable[bytes], name: str) -> HttpResponseBase:
    headers = {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    with ExitStack() as held:
        if not held.enter_context(few_of_one.turn(request.membership.user_id, "export", OF_ONE)):
            return too_many_files(request, is_own=True)
        if not _places.take(AT_ONCE):
            return too_many_files(request, is_own=False)
        held.callback(_places.give_back)
        return _sent(blocks, headers, held)


def _sent(blocks: Iterable[bytes], headers: dict[str, str], held: ExitStack) -> HttpResponseBase:
    """Takes over what is held where the answer goes on after the view."""
    file = held.enter_context(TemporaryFile(dir=storage.temporary_folder()))  # noqa: SIM115 - held
    file.writelines(blocks)
    length = file.tell()
    file.seek(0)
    headers["Content-Length"] = str(length)
    if length <= SMALL_BYTES:
        return HttpResponse(file.read(), headers=headers)
    ends_at = time.monotonic() + LONGEST_S
    body = FileSlice(
        file,
        length,
        on_start=release_connections,
        on_close=held.pop_all().close,
        may_go_on=lambda: time.monotonic() < ends_at,
    )
    return StreamingHttpResponse(body, headers=headers)
