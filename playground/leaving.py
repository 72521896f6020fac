"""The way to an identity provider and out of this site.

A form may only lead to this site (`form-action 'self'`), and browsers hold every redirect after it to that. A form's
answer that leads elsewhere therefore becomes a page that goes there at once by itself, and has a link for whoever
would rather press.
"""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render

Handler = Callable[[HttpRequest], HttpResponseBase]


def leaving(get_response: Handler) -> Handler:
    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        target = urlsplit(response.headers.get("Location", ""))
        leads_elsewhere = target.netloc and target.netloc != request.get_host()
        if request.method != "POST" or response.status_code not in {302, 303} or not leads_elsewhere:
            return response
        page = render(request, "socialaccount/leaving.html", {"target": target.geturl(), "host": target.hostname})
        page.headers["Cache-Control"] = "no-store"
        page.headers["Referrer-Policy"] = "no-referrer"
        return page

    return handle
