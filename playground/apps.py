import os

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class PlaygroundConfig(AppConfig):
    name = "playground"
    verbose_name = "Video Playground"

    def ready(self) -> None:
        from playground import checks, sessions  # noqa: F401  the system checks; what is done at signing in
        from playground.services import invitations  # noqa: F401  what ends with somebody's address

        os.umask(os.umask(0o027) | 0o027)  # prompts, addresses, videos: what is written is for this user and group only
        make_data_folders()


def make_data_folders() -> None:
    """Make the folders that files go to. Raises ImproperlyConfigured naming PLAYGROUND_DATA otherwise."""
    try:
        for folder in (settings.DATA_DIR, settings.FILE_UPLOAD_TEMP_DIR, settings.MEDIA_ROOT, settings.STATIC_ROOT):
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"PLAYGROUND_DATA: cannot write to {settings.DATA_DIR}: {error.strerror or error}"
        ) from error
