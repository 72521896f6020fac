"""The lumenfall profile over real sockets: every form of order, every refusal, the neighbouring endpoints."""

import base64
import http.client
import io
import json
import secrets
from typing import Any

import pytest
from PIL import Image

from tests.sandbox_server import Answer, SandboxServer


def png(width: int = 64, height: int = 36) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 80, 40)).save(out, "PNG")
    return out.getvalue()


DATA_URI = "data:image/png;base64," + base64.b64encode(png()).decode()
ORDER = {"prompt": "A boat", "model": "kling-v3", "seconds": 3, "size": "1280x720"}


def multipart(server: SandboxServer, parts: list[tuple[str, str | bytes]], query: str = "") -> Answer:
    boundary = secrets.token_hex(8)
    body = b""
    for name, value in parts:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if isinstance(value, bytes):
            body += b'; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + value + b"\r\n"
        else:
            body += b"\r\n\r\n" + value.encode() + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return server.request(
        "POST", f"/videos{query}", body, headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
    )


def dry(server: SandboxServer, **fields: Any) -> Answer:
    return server.request("POST", "/videos?dryRun=true", {**ORDER, **fields})


CHEAP = {"prompt": "A boat", "model": "p-video", "seconds": 1}


def references(server: SandboxServer, answer: Answer) -> int:
    assert answer.status == 202, answer.body
    return len(list((server.data / "clips" / answer.json["id"]).glob("reference-*")))


def test_key_is_checked_before_the_route(lumenfall: SandboxServer) -> None:
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Basic abc"}):
        answer = lumenfall.request("GET", "/no/such/route", key=None, headers=headers)
        assert (answer.status, answer.json["error"]["code"]) == (401, "AUTHENTICATION_FAILED")
        assert answer.json["error"]["type"] == "authentication_error"
    known = lumenfall.request("GET", "/no/such/route")
    assert (known.status, known.json["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("prefix", ["/openai/v1", "/v1"])
def test_both_prefixes_serve_everything(lumenfall: SandboxServer, prefix: str) -> None:
    base = lumenfall.root_url + prefix
    created = lumenfall.request("POST", f"{base}/videos", {**ORDER, "model": "mock-video"})
    assert created.status == 202
    assert lumenfall.request("GET", f"{base}/videos/{created.json['id']}").status == 200
    assert lumenfall.request("GET", f"{base}/models").status == 200
    assert lumenfall.request("GET", f"{base}/balance").status == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_videos_generations_does_not_exist(lumenfall: SandboxServer, method: str) -> None:
    answer = lumenfall.request(method, "/videos/generations", dict(ORDER) if method == "POST" else None)
    assert answer.status == 404


def test_create_answers_queued_with_the_estimate_and_a_string_of_seconds(lumenfall: SandboxServer) -> None:
    answer = lumenfall.create(model="kling-v3", seconds=3, size="1024x1024")
    video = answer.json
    assert answer.status == 202
    assert (video["status"], video["seconds"], video["size"]) == ("queued", "3", "1024x1024")
    assert (video["output"], video["error"], video["completed_at"]) == (None, None, None)
    assert video["metadata"]["cost_estimate"] == 0.378
    assert video["metadata"]["executed_model"] == "fal/kling-v3"
    assert "progress" not in video
    assert answer.headers["X-Lumenfall-Model"] == "kling-v3"
    assert answer.headers["X-Lumenfall-Provider"] == "fal"
    assert answer.headers["X-Lumenfall-Request-Id"].startswith("req_")


def test_completed_video_has_output_cost_and_expiry(lumenfall: SandboxServer) -> None:
    video = lumenfall.wait(lumenfall.create(model="p-video", seconds="1", size="16:9").json["id"])
    assert video["status"] == "completed"
    assert video["metadata"]["cost"] == 0.02
    assert "cost_estimate" not in video["metadata"]
    assert video["expires_at"] == pytest.approx(video["completed_at"] + 3600, abs=1)
    media = lumenfall.request("GET", video["output"]["url"], key=None)
    assert media.status == 200
    assert len(media.body) == video["output"]["size_bytes"]
    assert media.body[4:8] == b"ftyp"


@pytest.mark.parametrize("form", [
    {"image_url": DATA_URI}, [{"image_url": DATA_URI}], DATA_URI, [DATA_URI], {"image_url": {"url": DATA_URI}},
])  # fmt: skip
def test_json_reference_forms(lumenfall: SandboxServer, form: Any) -> None:
    assert references(lumenfall, lumenfall.request("POST", "/videos", {**CHEAP, "input_reference": form})) == 1


@pytest.mark.parametrize("name", ["input_image", "image_url"])
def test_json_top_level_reference_names(lumenfall: SandboxServer, name: str) -> None:
    assert references(lumenfall, lumenfall.request("POST", "/videos", {**CHEAP, name: DATA_URI})) == 1


@pytest.mark.parametrize("name", [
    "input_reference", "input_reference[]", "input_reference[0]", "input_reference[image_url]",
    "input_reference[][image_url]", "input_image", "image_url",
])  # fmt: skip
@pytest.mark.parametrize("value", [png(), DATA_URI], ids=["file", "text"])
def test_multipart_reference_names(lumenfall: SandboxServer, name: str, value: str | bytes) -> None:
    parts: list[tuple[str, str | bytes]] = [(key, str(text)) for key, text in CHEAP.items()]
    answer = multipart(
        lumenfall, [*parts, (name, value), ("generate_audio", "false"), ("n", "1"), ("metadata[a]", "b")]
    )
    assert references(lumenfall, answer) == 1


def test_numbered_references_keep_their_order(lumenfall: SandboxServer) -> None:
    parts: list[tuple[str, str | bytes]] = [("prompt", "x"), ("model", "seedance-2.0"), ("seconds", "4")]
    parts += [("input_reference[1]", png(20, 20)), ("input_reference[0]", png(10, 10))]
    answer = multipart(lumenfall, parts)
    folder = lumenfall.data / "clips" / answer.json["id"]
    assert [Image.open(io.BytesIO((folder / f"reference-{i}").read_bytes())).width for i in (0, 1)] == [10, 20]
    assert dry(lumenfall, input_reference=[DATA_URI] * 2).json["error"]["message"].endswith("multiple input images")


def test_https_reference_is_accepted_and_never_fetched(lumenfall: SandboxServer) -> None:
    answer = lumenfall.create(model="p-video", input_reference={"image_url": "https://example.invalid/a.png"})
    assert references(lumenfall, answer) == 0
    assert lumenfall.wait(answer.json["id"])["status"] == "completed"


@pytest.mark.parametrize(("fields", "status", "code"), [
    ({"prompt": ""}, 400, "INVALID_REQUEST"),
    ({"prompt": 5}, 400, "INVALID_REQUEST"),
    ({"prompt": "a\x00b"}, 400, "INVALID_REQUEST"),
    ({"prompt": "\ud800"}, 400, "INVALID_REQUEST"),
    ({"prompt": "x" * 2501}, 400, "INVALID_REQUEST"),
    ({"model": ""}, 400, "INVALID_REQUEST"),
    ({"model": "kling-v4"}, 404, "MODEL_NOT_FOUND"),
    ({"model": "openai/kling-v3"}, 404, "MODEL_NOT_FOUND"),
    ({"seconds": 2}, 400, "INVALID_REQUEST"),
    ({"seconds": "16"}, 400, "INVALID_REQUEST"),
    ({"seconds": 4.5}, 400, "INVALID_REQUEST"),
    ({"seconds": True}, 400, "INVALID_REQUEST"),
    ({"seconds": "", "duration": "99"}, 400, "INVALID_REQUEST"),
    ({"size": "large"}, 400, "INVALID_REQUEST"),
    ({"size": "16:0"}, 400, "INVALID_REQUEST"),
    ({"n": 5}, 400, "INVALID_REQUEST"),
    ({"n": "two"}, 400, "INVALID_REQUEST"),
    ({"generate_audio": "yes"}, 400, "INVALID_REQUEST"),
    ({"idempotency_key": "k" * 257}, 400, "INVALID_REQUEST"),
    ({"input_reference": {"image_url": "http://example.com/a.png"}}, 400, "INVALID_REQUEST"),
    ({"input_reference": {"image_url": "data:image/png;base64,bm90IGFuIGltYWdl"}}, 400, "INVALID_REQUEST"),
    ({"input_reference": {"image_url": "data:image/png;base64,@@@"}}, 400, "INVALID_REQUEST"),
    ({"input_reference": {"file_id": "f1"}}, 400, "INVALID_REQUEST"),
    ({"input_reference": DATA_URI, "model": "mock-video"}, 400, "INVALID_REQUEST"),
    ({"model": "p-video-avatar"}, 400, "INVALID_REQUEST"),
    ({"webhook_url": "http://example.com/h"}, 400, "INVALID_REQUEST"),
    ({"webhook_url": "https://127.0.0.1/h"}, 400, "INVALID_REQUEST"),
    ({"webhook_url": "https://[::1]/h"}, 400, "INVALID_REQUEST"),
    ({"webhook_url": "https://localhost/h"}, 400, "INVALID_REQUEST"),
    ({"webhook_url": "https://metadata.google.internal/h"}, 400, "INVALID_REQUEST"),
    ({"webhook_url": "https://example.com:8080/h"}, 400, "INVALID_REQUEST"),
])  # fmt: skip
def test_wrong_orders_are_refused_and_never_charged(
    lumenfall: SandboxServer, fields: dict[str, Any], status: int, code: str
) -> None:
    before = len(lumenfall.charges())
    answer = lumenfall.request("POST", "/videos", {**ORDER, **fields})
    assert (answer.status, answer.json["error"]["code"]) == (status, code), answer.body
    assert dry(lumenfall, **fields).status == status
    assert len(lumenfall.charges()) == before


def test_unknown_model_suggests_a_near_one(lumenfall: SandboxServer) -> None:
    assert dry(lumenfall, model="kling-v4").json["error"]["message"].endswith("Did you mean 'kling-v3'?")


def test_webhook_url_on_a_public_name_is_stored(lumenfall: SandboxServer) -> None:
    stuck = "[[sandbox:stuck]]"  # it never ends, so nothing is sent there
    assert lumenfall.create(prompt=stuck, webhook_url="https://example.com:8443/hooks/1").status == 202


@pytest.mark.parametrize(("body", "kind", "status"), [
    (b"{", "application/json", 400), (b"[]", "application/json", 400), (b"a=b", "text/plain", 415),
    (b"junk", "multipart/form-data", 400),
])  # fmt: skip
def test_unreadable_bodies_get_the_envelope(lumenfall: SandboxServer, body: bytes, kind: str, status: int) -> None:
    answer = lumenfall.request("POST", "/videos", body, headers={"Content-Type": kind})
    assert answer.status == status
    assert answer.json["error"]["code"] == "INVALID_REQUEST"


@pytest.mark.parametrize(("fields", "micros"), [
    ({"model": "wan-2.6", "seconds": 5}, 500_000),
    ({"model": "wan-2.6", "seconds": 5, "size": "1920x1080"}, 750_000),
    ({"model": "seedance-2.0", "seconds": 5}, 1_517_000),
    ({"model": "seedance-2.0", "seconds": 5, "input_reference": DATA_URI}, 1_510_000),
    ({"model": "seedance-2.0", "seconds": 5, "input_reference": [DATA_URI, DATA_URI]}, 905_000),
    ({"model": "p-video", "seconds": 5}, 100_000),
    ({"model": "sora-2-pro", "seconds": 4, "size": "", "resolution": "1080p"}, 2_000_000),
    ({"model": "kling-3", "generate_audio": False}, 252_000),
    ({"model": "replicate/kling-v3", "generate_audio": True}, 756_000),
    ({"model": "mock-video", "n": 4}, 0),
    ({"model": "p-video", "n": "2", "seconds": "", "duration": "5"}, 200_000),
])  # fmt: skip
def test_estimates(lumenfall: SandboxServer, fields: dict[str, Any], micros: int) -> None:
    answer = dry(lumenfall, **fields)
    assert answer.status == 200, answer.body
    assert (answer.json["estimated"], answer.json["total_cost_micros"]) == (True, micros)
    assert answer.json["components"][0]["total_cost"] == micros
    assert "id" not in answer.json


@pytest.mark.parametrize("value", ["True", "1", "false", ""])
def test_dry_run_with_another_value_is_refused(lumenfall: SandboxServer, value: str) -> None:
    before = len(lumenfall.charges())
    assert lumenfall.request("POST", f"/videos?dryRun={value}", dict(ORDER)).status == 400
    assert len(lumenfall.charges()) == before


def test_dry_run_leaves_nothing_behind_and_uses_up_no_key(lumenfall: SandboxServer) -> None:
    charges, balance = lumenfall.charges(), lumenfall.request("GET", "/balance").json
    clips = len(list((lumenfall.data / "clips").glob("*")))
    assert dry(lumenfall, idempotency_key="dry", input_reference=DATA_URI).status == 200
    assert (lumenfall.charges(), lumenfall.request("GET", "/balance").json) == (charges, balance)
    assert len(list((lumenfall.data / "clips").glob("*"))) == clips
    assert lumenfall.request("POST", "/videos", {**ORDER, "idempotency_key": "dry"}).status == 202


def test_several_videos_in_one_order(lumenfall: SandboxServer) -> None:
    video = lumenfall.wait(lumenfall.create(n=2).json["id"])
    assert video["output"] == video["data"][0]
    first, second = (lumenfall.request("GET", file["url"], key=None).body for file in video["data"])
    assert first != second


def test_models_carry_what_clients_read(lumenfall: SandboxServer) -> None:
    models = {item["id"]: item for item in lumenfall.request("GET", "/models").json["data"]}
    assert {"sora-2", "sora-2-pro", "veo-3.1-fast", "veo-3.1-lite", "kling-v3", "seedance-2.0", "wan-2.6",
            "pixverse-v5.6", "grok-imagine-video", "p-video", "p-video-avatar",
            "mock-video"} == set(models)  # fmt: skip
    kling = models["kling-v3"]
    assert (kling["creator_organization"], kling["starting_price"]) == ("Kuaishou", 0.084)
    assert kling["modes"] == ["text-to-video", "image-to-video"]
    assert "kling-3" in kling["aliases"]
    assert "video-generation" in kling["tags"]
    assert models["mock-video"]["free"] is True


def test_schema_tells_sizes_lengths_and_what_is_required(lumenfall: SandboxServer) -> None:
    kling = lumenfall.request("GET", "/models/kling-3?schema=true").json
    assert kling["properties"]["prompt"]["maxLength"] == 2500
    assert kling["properties"]["size"]["enum"][:2] == ["1280x720", "720x1280"]
    assert (kling["properties"]["seconds"]["minimum"], kling["properties"]["seconds"]["maximum"]) == (3, 15)
    assert kling["properties"]["generate_audio"]["type"] == "boolean"
    veo = lumenfall.request("GET", "/models/veo-3.1-lite?schema=true").json
    assert veo["properties"]["seconds"]["enum"] == [4, 6, 8]
    avatar = lumenfall.request("GET", "/models/replicate/p-video-avatar?schema=true").json
    assert "input_reference" in avatar["required"]
    assert lumenfall.request("GET", "/models/nope").json["error"]["code"] == "MODEL_NOT_FOUND"


def test_cancel_ends_a_running_job_without_a_charge(lumenfall: SandboxServer) -> None:
    video = lumenfall.create(model="p-video", prompt="Stop me [[sandbox:stuck]]").json
    assert lumenfall.request("DELETE", f"/videos/{video['id']}").status == 204
    after = lumenfall.request("GET", f"/videos/{video['id']}").json
    assert (after["status"], after["metadata"]["cost"], after["output"]) == ("cancelled", None, None)
    charge = next(entry for entry in lumenfall.charges() if entry["job_id"] == video["id"])
    assert (charge["micros"], charge["state"]) == (0, "released")


def test_cancel_after_finish_changes_nothing(lumenfall: SandboxServer) -> None:
    video = lumenfall.wait(lumenfall.create().json["id"])
    assert lumenfall.request("DELETE", f"/videos/{video['id']}").status == 204
    assert lumenfall.request("GET", f"/videos/{video['id']}").json == video


def test_unknown_video_is_404(lumenfall: SandboxServer) -> None:
    for method in ("GET", "DELETE"):
        assert lumenfall.request(method, "/videos/video_nope").json["error"]["code"] == "NOT_FOUND"


def test_media_ranges(lumenfall: SandboxServer) -> None:
    url = lumenfall.wait(lumenfall.create().json["id"])["output"]["url"]
    whole = lumenfall.request("GET", url, key=None)
    size = len(whole.body)

    def part(value: str, **headers: str) -> Answer:
        return lumenfall.request("GET", url, key=None, headers={"Range": value, **headers})

    first = part("bytes=0-99")
    assert (first.status, first.body, first.headers["Content-Range"]) == (206, whole.body[:100], f"bytes 0-99/{size}")
    assert part("bytes=100-").body == whole.body[100:]
    assert part("bytes=-50").body == whole.body[-50:]
    assert part(f"bytes={size}-").status == 416
    assert part("bytes=9-1").status == 200
    assert part("bytes=0-9", **{"If-Range": '"other"'}).status == 200
    assert part("bytes=0-9", **{"If-Range": whole.headers["ETag"]}).status == 206
    head = lumenfall.request("HEAD", url, key=None)
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(size), b"")
    assert lumenfall.request("GET", url.rsplit("/", 2)[0] + "/guess/x.mp4", key=None).status == 404


def test_connection_is_kept_alive_and_chunked_bodies_are_read(lumenfall: SandboxServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", lumenfall.port, timeout=30)
    headers = {"Authorization": "Bearer k", "Content-Type": "application/json"}
    body = json.dumps({**ORDER, "model": "mock-video"}).encode()
    connection.request("POST", "/v1/videos?dryRun=true", iter([body[:20], body[20:]]), headers, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["estimated"]) == (200, True)
    first = connection.sock
    connection.request("GET", "/v1/balance", headers=headers)
    assert connection.getresponse().read()
    assert connection.sock is first is not None
    connection.close()
