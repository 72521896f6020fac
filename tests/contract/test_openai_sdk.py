"""The official openai SDK against the sandbox over real sockets: what it can do with a real server, it can do here."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from PIL import Image

from tests.sandbox_server import SandboxServer, start_sandbox

pytestmark = pytest.mark.contract
ORDER = {"model": "sora-2", "seconds": "4", "size": "1280x720"}


@pytest.fixture(scope="module")
def openai_sandbox() -> Iterator[SandboxServer]:
    with start_sandbox("openai") as server:
        yield server


@pytest.fixture(scope="module")
def lumenfall_sandbox() -> Iterator[SandboxServer]:
    with start_sandbox("lumenfall") as server:
        yield server


def sdk(server: SandboxServer) -> openai.OpenAI:
    return openai.OpenAI(api_key="sk-anything", base_url=server.base_url, max_retries=0)


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 180), (200, 120, 40)).save(out, "PNG")
    return out.getvalue()


def small_clip(client: openai.OpenAI, **more: Any) -> Any:
    return client.videos.create(
        prompt="A lighthouse at dusk", model="mock-video", extra_body={"seconds": "1", "size": "640x360"}, **more
    )


def test_sdk_creates_polls_and_retrieves_against_openai(openai_sandbox: SandboxServer) -> None:
    with sdk(openai_sandbox) as client:
        created = client.videos.create(prompt="A fox in the snow", **ORDER)
        assert (created.object, created.status, created.seconds, created.size) == ("video", "queued", "4", "1280x720")
        done = client.videos.poll(created.id)
        assert (done.status, done.progress, done.error) == ("completed", 100, None)
        assert client.videos.retrieve(created.id).completed_at is not None


def test_sdk_create_and_poll_with_an_image_uploads_it(openai_sandbox: SandboxServer) -> None:
    with sdk(openai_sandbox) as client:
        done = client.videos.create_and_poll(
            prompt="The picture comes alive", input_reference=("ref.png", png(), "image/png"), **ORDER
        )
    assert done.status == "completed"
    assert list((openai_sandbox.data / "clips" / done.id).glob("reference-0"))


def test_sdk_lists_newest_first_in_pages(openai_sandbox: SandboxServer) -> None:
    with sdk(openai_sandbox) as client:
        ids = [small_clip(client).id for _ in range(3)]
        page = client.videos.list(limit=2)
        assert [video.id for video in page.data] == [ids[2], ids[1]]
        assert page.has_more
        assert page.get_next_page().data[0].id == ids[0]
        assert ids[0] in [video.id for video in client.videos.list(order="asc")]


def test_sdk_downloads_every_variant(openai_sandbox: SandboxServer) -> None:
    with sdk(openai_sandbox) as client:
        video = client.videos.poll(small_clip(client).id)
        assert client.videos.download_content(video.id).read()[4:8] == b"ftyp"
        thumbnail = client.videos.download_content(video.id, variant="thumbnail").read()
        sheet = client.videos.download_content(video.id, variant="spritesheet").read()
    assert Image.open(io.BytesIO(thumbnail)).format == "WEBP"
    assert Image.open(io.BytesIO(sheet)).size == (800, 180)


def test_sdk_delete_removes_the_video(openai_sandbox: SandboxServer) -> None:
    with sdk(openai_sandbox) as client:
        video = client.videos.poll(small_clip(client).id)
        gone = client.videos.delete(video.id)
        assert (gone.id, gone.deleted, gone.object) == (video.id, True, "video.deleted")
        with pytest.raises(openai.NotFoundError):
            client.videos.retrieve(video.id)


def test_sdk_errors_keep_code_and_class(openai_sandbox: SandboxServer) -> None:
    with sdk(openai_sandbox) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            client.videos.create(prompt="x [[sandbox:moderation]]", **ORDER)
        assert refused.value.code == "moderation_blocked"
        with pytest.raises(openai.NotFoundError) as missing:
            client.videos.create(prompt="x", model="sora-9")
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.RateLimitError):
            client.videos.create(prompt="x [[sandbox:429]]", **ORDER)
        assert client.models.retrieve("sora-2").owned_by == "openai"


def test_sdk_creates_polls_and_retrieves_against_lumenfall(lumenfall_sandbox: SandboxServer) -> None:
    with sdk(lumenfall_sandbox) as client:
        raw = client.videos.with_raw_response.create(prompt="Waves", extra_body={"idempotency_key": "k1"}, **ORDER)
        assert raw.status_code == 202
        done = client.videos.poll(raw.parse().id)
        seen = client.videos.retrieve(done.id)
    assert seen.status == "completed"
    extra = seen.model_dump()
    assert extra["output"]["content_type"] == "video/mp4"
    assert extra["metadata"]["cost"] == 0.4
    assert "progress" not in seen.model_fields_set


def test_sdk_dry_run_against_lumenfall_is_an_estimate_without_an_id(lumenfall_sandbox: SandboxServer) -> None:
    before = lumenfall_sandbox.charges()
    with sdk(lumenfall_sandbox) as client:
        priced = client.videos.create(prompt="Waves", extra_query={"dryRun": True}, **ORDER)
    assert priced.model_dump()["total_cost_micros"] == 400_000
    assert not getattr(priced, "id", None)
    assert lumenfall_sandbox.charges() == before


@pytest.mark.parametrize("profile", ["lumenfall", "openai"])
def test_old_sdks_that_send_json_are_understood(profile: str, request: pytest.FixtureRequest) -> None:
    server: SandboxServer = request.getfixturevalue(f"{profile}_sandbox")
    image = "data:image/png;base64," + base64.b64encode(png()).decode()
    answer = server.request(
        "POST", "/videos", {"prompt": "x", "input_reference": {"image_url": image}, **ORDER},
        headers={"User-Agent": "OpenAI/Python 2.3.0"},
    )  # fmt: skip
    assert answer.status == (202 if profile == "lumenfall" else 200)
    assert server.wait(answer.json["id"])["status"] == "completed"
