"""A program of its own around serve_media, the upload handler and normalise, for tests and benchmarks.

Started as `granian --interface asginl tests.media.app:application` with APP_DATA set to a folder whose `media/` holds
the files. `/file/<key>` sends one, `/state` tells how many streams are running, `/upload` takes a form with
`reference`.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import django
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import JsonResponse
from django.urls import path

DATA = Path(os.environ["APP_DATA"])
LOCAL = "django.core.files.storage.FileSystemStorage"
(DATA / "tmp").mkdir(exist_ok=True)

settings.configure(
    SECRET_KEY="only for tests and benchmarks, on loopback",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["127.0.0.1"],
    DATA_DIR=DATA,
    STORAGES={"default": {"BACKEND": LOCAL}, "media": {"BACKEND": LOCAL, "OPTIONS": {"location": DATA / "media"}}},
    MEDIA_STREAMS=int(os.environ.get("MEDIA_STREAMS", "32")),
    FILE_UPLOAD_HANDLERS=["playground.upload_handlers.CappedUploadHandler"],
    FILE_UPLOAD_TEMP_DIR=DATA / "tmp",
    MIDDLEWARE=[
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    CSRF_COOKIE_NAME="csrf",
    USE_TZ=True,
    TRUST_PROXY=False,
    WEB_THREADS=int(os.environ["WEB_THREADS"]),
    BODY_SECONDS=20,
)
django.setup()

from playground.media import serve, storage  # noqa: E402
from playground.media.images import ImageRefused, normalise  # noqa: E402

MODIFIED = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def handler400(request, exception):
    status = 413 if isinstance(exception, RequestDataTooBig) else 400
    return JsonResponse({"error": "too large"}, status=status)


def file(request, key):
    return serve.serve_media(request, key, content_type="video/mp4", etag="ab" * 32, last_modified=MODIFIED)


def state(request):
    return JsonResponse({"streams": serve.slots.taken, "pid": os.getpid()})


def upload(request):
    sent = request.FILES["reference"]
    try:
        with storage.temporary(".jpg") as out:
            made = normalise(sent.file, out)
    except ImageRefused as refused:
        return JsonResponse({"code": refused.code, "prompt": request.POST.get("prompt")}, status=422)
    return JsonResponse({"width": made.width, "height": made.height, "bytes": sent.size, "kind": type(sent).__name__})


urlpatterns = [path("file/<path:key>", file), path("state", state), path("upload", upload)]

from playground.asgi import application  # noqa: E402, F401  it asks for the addresses above
