from django.urls import path, re_path

from . import api, files, hooks_api, native, page, requests

API = r"^(?:openai/)?v1/"

urlpatterns = [
    path("", page.index),
    path("healthz", page.healthz),
    path("sandbox/charges", native.charges),
    path("sandbox/requests", native.request_log),
    path("sandbox/hooks", hooks_api.hook_log),
    path("sandbox/hooks/new-secret", hooks_api.new_secret),
    path("media/<str:token>/<str:name>", files.media),
    re_path(API + r"videos$", api.videos),
    # `generations` is a mistake that clients make; it must not be taken for an id.
    re_path(API + r"videos/(?!generations$)(?P<video_id>[^/]+)$", api.video),
    re_path(API + r"videos/(?P<video_id>[^/]+)/content$", api.content),
    re_path(API + r"models$", native.models),
    re_path(API + r"models/(?P<slug>[^/]+(?:/[^/]+)?)$", native.model),
    re_path(API + r"balance$", native.balance),
    re_path(API + r"requests$", requests.index),
    re_path(API + r"requests/(?P<request_id>[^/]+)$", requests.entry),
    re_path(API + r"webhooks/secret$", hooks_api.secret),
]

handler400 = "playground.sandbox.http.bad_request"
handler404 = "playground.sandbox.http.not_found"
handler500 = "playground.sandbox.http.server_error"
