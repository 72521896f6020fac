"""Small middleware of our own."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

from playground.services.people import membership_of

Handler = Callable[[HttpRequest], HttpResponseBase]

PERMISSIONS_POLICY = "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()"


def permissions_policy(get_response: Handler) -> Handler:
    """No page of ours asks for a device."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        return response

    return handle


def too_large(get_response: Handler) -> Handler:
    """A body that the upload handler refused is answered 413 with a page that says the limit."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if getattr(request, "upload_too_large", False):
            response.close()
            return render(request, "errors/413.html", status=413)
        return response

    return handle


def membership(get_response: Handler) -> Handler:
    """`request.membership`: the signed-in person's membership in the team at hand, or None. Read when first used."""

    def handle(request: HttpRequest) -> HttpResponseBase:
        request.membership = SimpleLazyObject(lambda: membership_of(request.user, request.session))  # type: ignore[attr-defined]
        response = get_response(request)
        if request.headers.get("HX-Request"):
            patch_vary_headers(response, ["HX-Request"])
        return response

    return handle
