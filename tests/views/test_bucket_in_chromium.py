"""The player when the bytes come from another origin, by links that run out."""

import pytest
from django.urls import reverse

from tests import factories
from tests.support.bucket import TestBucket
from tests.views.conftest import becomes_true

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
HAS_METADATA = "document.querySelector('#player').readyState >= 1"


@pytest.fixture
def in_bucket(settings, tmp_path, bucket: TestBucket) -> TestBucket:
    settings.DATA_DIR = tmp_path
    csp = settings.CONTENT_SECURITY_POLICY
    allowed = {name: [*csp["DIRECTIVES"][name], bucket.server.origin] for name in ("img-src", "media-src")}
    settings.CONTENT_SECURITY_POLICY = {**csp, "DIRECTIVES": {**csp["DIRECTIVES"], **allowed}}
    return bucket


def test_video_in_a_bucket_plays_and_its_frame_becomes_a_reference(in_bucket, page, admin):
    video = factories.make_video(by=admin, model=factories.make_model())
    page.goto(reverse("videos.detail", args=[video.id]))
    becomes_true(page, HAS_METADATA)
    page.evaluate("document.querySelector('#player').play()")
    becomes_true(page, "document.querySelector('#player').currentTime > 0")

    page.click("[data-use-frame]")

    page.wait_for_url("**/create/?reference_id=*")
    kept = in_bucket.keys()
    assert any(key.startswith("references/") for key in kept)


def test_player_whose_link_ran_out_asks_for_another(in_bucket, page, admin):
    video = factories.make_video(by=admin, model=factories.make_model())
    sent = []

    def run_out_once(route):
        sent.append(route.request.url)
        if len(sent) == 1:
            route.fulfill(status=403, body="Request has expired")
        else:
            route.continue_()

    page.goto(reverse("videos.detail", args=[video.id]))
    becomes_true(page, HAS_METADATA)
    page.route(f"**{reverse('media.video', args=[video.id])}", run_out_once)
    page.evaluate("document.querySelector('#player').load()")

    becomes_true(page, HAS_METADATA)
    assert len(sent) > 1
    page.complaints[:] = [line for line in page.complaints if "403" not in line]
