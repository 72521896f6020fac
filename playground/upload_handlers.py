"""What a request body may be, decided while it comes in.

CSRF protection reads the whole form before any view runs, so a limit inside a view comes too late: this class is the
only entry of FILE_UPLOAD_HANDLERS. Two limits, on purpose:

- A body whose declared length is over MAX_BODY_BYTES is refused before a byte of it is parsed: `UploadTooLarge` is
  raised, which `playground.views.errors.bad_request` answers with 413 and a page.
- A file over MAX_FILE_BYTES in a smaller body is cut off on disk but read to its end, with its true size kept. The form
  is then shown again with a message beside the field and nothing typed is lost, which a bare 413 would cost.

The name of a file is not used for anything, so that none is too long: Django would end the name of the temporary file
with the ending of the sender's, and refuse the whole form for a head of over 1 KiB.

Files always go to disk, in blocks of CHUNK_BYTES, whatever their size: fifty uploads at once cost fifty small buffers.
"""

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import multipartparser

from playground.media.picture_limits import MAX_FILE_BYTES

MAX_BODY_BYTES = MAX_FILE_BYTES + 20 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
MAX_PART_HEAD_BYTES = 16 * 1024
FILE_NAME = "upload"

multipartparser.MAX_TOTAL_HEADER_SIZE = MAX_PART_HEAD_BYTES  # type: ignore[attr-defined]


class UploadTooLarge(RequestDataTooBig):
    """The body is longer than MAX_BODY_BYTES. The answer is 413."""


class CappedUploadHandler(TemporaryFileUploadHandler):
    chunk_size = CHUNK_BYTES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.body_bytes = 0
        self.written = 0

    def discard(self) -> None:
        """Remove a file that a broken form broke off; Django forgets only those that were complete."""
        file = getattr(self, "file", None)
        if file is not None:
            file.close()

    def handle_raw_input(
        self, input_data: Any, META: dict[str, str], content_length: int, boundary: str, encoding: str | None = None
    ) -> None:
        if content_length > MAX_BODY_BYTES:
            raise UploadTooLarge(f"the body has {content_length} bytes, more than {MAX_BODY_BYTES}")

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        super().new_file(field_name, FILE_NAME, *args, **kwargs)
        self.written = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.body_bytes += len(raw_data)
        if self.body_bytes > MAX_BODY_BYTES:
            raise UploadTooLarge(f"the files have more than {MAX_BODY_BYTES} bytes")
        # One byte over the limit is kept: whoever measures the file sees that it is too large.
        wanted = raw_data[: MAX_FILE_BYTES + 1 - self.written]
        self.written += len(wanted)
        if wanted:
            self.file.write(wanted)

    def file_complete(self, file_size: int) -> TemporaryUploadedFile:
        self.file.seek(0)
        self.file.size = file_size
        return self.file
