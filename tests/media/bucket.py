"""A media store that speaks like django-storages' S3 backend: no paths, signed links, a save replaces."""

from django.core.files.base import ContentFile
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible


@deconstructible
class Bucket(Storage):
    def __init__(self):
        self.objects = {}

    def _open(self, name, mode="rb"):
        if name not in self.objects:
            raise FileNotFoundError(name)
        return ContentFile(self.objects[name], name)

    def _save(self, name, content):
        self.objects[name] = b"".join(content.chunks())
        return name

    def get_available_name(self, name, max_length=None):
        return name

    def exists(self, name):
        return name in self.objects

    def size(self, name):
        if name not in self.objects:
            raise FileNotFoundError(name)
        return len(self.objects[name])

    def delete(self, name):
        self.objects.pop(name, None)

    def url(self, name, parameters=None, expire=None):
        return f"https://bucket.example/{name}?expires={expire}&{sorted((parameters or {}).items())}"
