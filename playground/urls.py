"""Every address, grouped by page. A name is `module.function` of the view."""

from django.urls import URLPattern, URLResolver, include, path

from playground.views import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="health.healthz"),
    path("readyz", health.readyz, name="health.readyz"),
    path("account/", include("allauth.account.urls")),
]

handler400 = "playground.views.errors.bad_request"
handler403 = "playground.views.errors.forbidden"
handler404 = "playground.views.errors.not_found"
handler500 = "playground.views.errors.server_error"
