"""Every address, grouped by page. A name is `module.function` of the view."""

from django.urls import URLPattern, URLResolver, include, path

from playground.views import (
    create,
    gallery,
    gateway,
    generations,
    health,
    home,
    hooks,
    limits,
    media,
    metrics,
    notices,
    references,
    requests,
    runs,
    signin_link,
    spend,
    styleguide,
    trash,
    unclear,
    videos,
    welcome,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="health.healthz"),
    path("readyz", health.readyz, name="health.readyz"),
    path("account/", include("playground.views.account")),
    path("welcome/<str:token>/", welcome.index, name="welcome.index"),
    path("sign-in/<str:token>/", signin_link.index, name="signin_link.index"),
    path("", home.index, name="home.index"),
    path("create/", create.index, name="create.index"),
    path("create/price/", create.price, name="create.price"),
    path("references/", references.upload, name="references.upload"),
    path("references/<uuid:id>/image/", media.reference, name="media.reference"),
    path("references/<uuid:id>/thumb/", media.reference_thumb, name="media.reference_thumb"),
    path("generations/cards/", generations.cards, name="generations.cards"),
    path("generations/<uuid:id>/card/", generations.card, name="generations.card"),
    path("generations/<uuid:id>/cancel/", generations.cancel, name="generations.cancel"),
    path("generations/<uuid:id>/again/", generations.again, name="generations.again"),
    path("styleguide/", styleguide.index, name="styleguide.index"),
    path("gallery/", gallery.index, name="gallery.index"),
    path("gallery/newer/", gallery.newer, name="gallery.newer"),
    path("videos/trash/", videos.trash, name="videos.trash"),
    path("videos/restore/", videos.restore, name="videos.restore"),
    path("videos/purge/", videos.purge, name="videos.purge"),
    path("videos/<uuid:id>/", videos.detail, name="videos.detail"),
    path("videos/<uuid:id>/rename/", videos.rename, name="videos.rename"),
    path("media/videos/<uuid:id>/", media.video, name="media.video"),
    path("media/videos/<uuid:id>/poster/", media.poster, name="media.poster"),
    path("media/videos/<uuid:id>/preview/", media.preview, name="media.preview"),
    path("media/videos/<uuid:id>/download/", media.download, name="media.download"),
    path("runs/", runs.index, name="runs.index"),
    path("runs/<uuid:id>/", runs.detail, name="runs.detail"),
    path("spend/", spend.index, name="spend.index"),
    path("spend/export.csv", spend.export, name="spend.export"),
    path("spend/reconcile/", spend.reconcile, name="spend.reconcile"),
    path("spend/reconcile/compare/", spend.compare, name="spend.compare"),
    path("unclear/", unclear.index, name="unclear.index"),
    path("unclear/<uuid:id>/send/", unclear.send, name="unclear.send"),
    path("unclear/<uuid:id>/close/", unclear.close, name="unclear.close"),
    path("unclear/<uuid:id>/adopt/", unclear.adopt, name="unclear.adopt"),
    path("spend/limits/", limits.index, name="limits.index"),
    path("spend/limits/pause/", limits.pause, name="limits.pause"),
    path("spend/limits/requests/<uuid:id>/", limits.answer, name="limits.answer"),
    path("requests/", requests.index, name="requests.index"),
    path("requests/<uuid:id>/decline/", requests.decline, name="requests.decline"),
    path("requests/<uuid:id>/take-back/", requests.take_back, name="requests.take_back"),
    path("notices/", notices.index, name="notices.index"),
    path("notices/seen/", notices.seen, name="notices.seen"),
    path("trash/", trash.index, name="trash.index"),
    path("gateway/", gateway.connect, name="gateway.connect"),
    path("gateway/resume/", gateway.resume, name="gateway.resume"),
    path("gateway/check/", gateway.check, name="gateway.check"),
    path("hooks/<slug:gateway>/<str:hook_token>/", hooks.receive, name="hooks.receive"),
    path("metrics", metrics.index, name="metrics.index"),
]

handler400 = "playground.views.errors.bad_request"
handler403 = "playground.views.errors.not_found"
"""Forbidden and missing look the same; what fails the CSRF check has a page of its own."""
handler404 = "playground.views.errors.not_found"
handler429 = "playground.views.errors.too_many_requests"
"""Asked for by allauth, for its limits that belong to no form."""
handler500 = "playground.views.errors.server_error"
