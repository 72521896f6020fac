"""What the web server's processes run.

All views are loaded before the first request, and what is loaded then stays out of the garbage collector's sight: it
lasts as long as the process, and looking through its 130,000 objects took 50 ms of every thirtieth request or so.
"""

import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "playground.settings")

application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018  reading it loads them
gc.collect()
gc.freeze()
