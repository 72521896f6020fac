"""What a request body may be, decided while it comes in.

CSRF protection reads the whole form before any view runs, so a limit inside a view comes too late: this class is the
only entry of FILE_UPLOAD_HANDLERS. Two limits, on purpose:

- A body whose declared length is over MAX_BODY_BYTES is refused before a byte of it is parsed: `UploadTooLarge` is
  raised and `request.upload_too_large` set, by which `playground.middleware.too_large` answers 413 with a page.
- A file over MAX_FILE_BYTES in a smaller body is cut off on disk but read to its end, with its true size kept. The form
  is then shown again with a message beside the field and nothing typed is lost, which a bare 413 would cost.

Files always go to disk, in blocks of CHUNK_BYTES, whatever their size: fifty uploads at once cost fifty small buffers.
"""

from typing import Any, NoReturn

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from playground.media.images import MAX_FILE_BYTES

MAX_BODY_BYTES = MAX_FILE_BYTES + 20 * 1024 * 1024
CHUNK_BYTES = 64 * 1024


class UploadTooLarge(RequestDataTooBig):
    """The body is longer than MAX_BODY_BYTES. The answer is 413."""


class CappedUploadHandler(TemporaryFileUploadHandler):
    chunk_size = CHUNK_BYTES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.body_bytes = 0
        self.written = 0

    def handle_raw_input(
        self, input_data: Any, META: dict[str, str], content_length: int, boundary: str, encoding: str | None = None
    ) -> None:
        if content_length > MAX_BODY_BYTES:
            self._refuse(f"the body has {content_length} bytes, more than {MAX_BODY_BYTES}")

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self.written = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self.body_bytes += len(raw_data)
        if self.body_bytes > MAX_BODY_BYTES:
            self._refuse(f"the files have more than {MAX_BODY_BYTES} bytes")
        # One byte over the limit is kept: whoever measures the file sees that it is too large.
        wanted = raw_data[: MAX_FILE_BYTES + 1 - self.written]
        self.written += len(wanted)
        if wanted:
            self.file.write(wanted)

    def file_complete(self, file_size: int) -> TemporaryUploadedFile:
        self.file.seek(0)
        self.file.size = file_size
        return self.file

    def _refuse(self, reason: str) -> NoReturn:
        if self.request is not None:
            self.request.upload_too_large = True  # type: ignore[attr-defined]
        raise UploadTooLarge(reason)
