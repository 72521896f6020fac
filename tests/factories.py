"""Rows for tests, made by plain functions: people, teams, gateways, models, runs, generations, videos with real files.

Every function takes what the test cares about and invents the rest. Files are real: a clip of a second drawn with PyAV,
a WebP poster, a preview; drawn once for each size and copied.
"""

import hashlib
import itertools
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from allauth.account.models import EmailAddress
from django.utils import timezone
from PIL import Image

from playground.domain.capabilities import Capabilities, Lengths
from playground.domain.status import ACTIVE, Status
from playground.media import storage
from playground.models import (
    Event,
    Gateway,
    Generation,
    GenerationReference,
    LedgerEntry,
    Lifecycle,
    Membership,
    Reference,
    Role,
    Run,
    Team,
    User,
    Video,
    VideoModel,
)
from playground.models.base import new_id
from playground.services import people
from tests.media.clips import make_clip

PASSWORD = "a long enough password"
_numbers = itertools.count(1)


def make_user(email: str = "", name: str = "", *, password: str = PASSWORD) -> User:
    number = next(_numbers)
    return User.objects.create_user(email or f"person{number}@example.com", password, name=name or f"Person {number}")


def make_team(name: str = "", **fields) -> Team:
    """A team whose limits an admin has accepted: it may order where it costs."""
    name = name or f"Team {next(_numbers)}"
    fields = {"limits_accepted_at": timezone.now(), **fields}
    return Team.objects.create(name=name, slug=people.free_slug(name), **fields)


def make_member(*, team: Team | None = None, role: Role = Role.CREATOR, user: User | None = None) -> Membership:
    return Membership.objects.create(team=team or make_team(), user=user or make_user(), role=role)


def make_gateway(*, slug: str = "", is_sandbox: bool = True, is_default: bool = False, **fields) -> Gateway:
    slug = slug or f"gateway-{next(_numbers)}"
    defaults = {
        "name": "Sandbox" if is_sandbox else slug.capitalize(),
        "base_url": "http://127.0.0.1:9/openai/v1",
        "dialect": "lumenfall",
        "has_dry_run": True,
        "has_cancel": True,
        "honours_idempotency_key": True,
    }
    if is_default:
        Gateway.objects.filter(team=fields.get("team"), is_default=True).update(is_default=False)
    return Gateway.objects.create(slug=slug, is_sandbox=is_sandbox, is_default=is_default, **{**defaults, **fields})


def make_model(
    slug: str = "", *, gateway: Gateway | None = None, lifecycle: Lifecycle = Lifecycle.LIVE, **fields
) -> VideoModel:
    slug = slug or f"model-{next(_numbers)}"
    takes = fields.pop("takes", None) or Capabilities(
        sizes=("1280x720", "720x1280", "1920x1080"), lengths=Lengths(choices=(4, 8, 12)), image_to_video=True, seed=True
    )
    return VideoModel.objects.create(
        gateway=gateway or Gateway.objects.first() or make_gateway(is_default=True),
        slug=slug,
        name=fields.pop("name", slug),
        lifecycle=lifecycle,
        capabilities=takes.to_json(),
        **fields,
    )


def make_run(*, by: Membership, model: VideoModel | None = None, prompt: str = "A harbour at dawn", **fields) -> Run:
    model = model or make_model()
    settings = {"size": "1280x720", "seconds": 4, "count": 1, **fields.pop("settings", {})}
    return Run.objects.create(
        team=by.team,
        created_by=by.user,
        gateway=model.gateway,
        model=model,
        submit_token=f"token-{next(_numbers)}",
        body_hash="0" * 64,
        prompt=prompt,
        settings=settings,
        quoted_total_micros=fields.pop("quoted_total_micros", 400_000),
        **fields,
    )


def make_generation(
    *, by: Membership | None = None, run: Run | None = None, status: Status = Status.DONE, **fields
) -> Generation:
    """An order in `status`; one that is active is due in an hour, so that no sweep of a test touches it by chance."""
    if run is None:
        run = make_run(by=by or make_member(), model=fields.pop("model", None))
    if status in ACTIVE:
        later = timezone.now() + timedelta(hours=1)
        fields = {"next_check_at": later, "deadline_at": later, **fields}
    return Generation.objects.create(
        run=run,
        team=run.team,
        gateway=run.gateway,
        model=run.model,
        position=fields.pop("position", run.generations.count()),
        status=status,
        estimate_micros=fields.pop("estimate_micros", 400_000),
        body={"prompt": run.prompt, "model": run.model.slug},
        **fields,
    )


def make_event(generation: Generation, kind: str, *, at: datetime | None = None, **fields) -> Event:
    return Event.objects.create(generation=generation, kind=kind, at=at or timezone.now(), **fields)


def make_entry(generation: Generation, kind: str, amount_micros: int) -> LedgerEntry:
    return LedgerEntry.objects.create(
        generation=generation,
        team=generation.team,
        user=generation.run.created_by,
        gateway=generation.gateway,
        kind=kind,
        amount_micros=amount_micros,
        month=timezone.now().date().replace(day=1),
    )


def make_reference(
    *,
    by: Membership,
    generation: Generation | None = None,
    size: tuple[int, int] = (64, 36),
    cut_from: Reference | None = None,
) -> Reference:
    id = new_id()
    data = _picture(size, "PNG")
    reference = Reference.objects.create(
        id=id,
        team=by.team,
        created_by=by.user,
        key=store(storage.reference_key(id, ".png"), data),
        thumb_key=store(storage.reference_key(id, ".webp", variant="thumb"), _picture(size, "WEBP")),
        content_type="image/png",
        width=size[0],
        height=size[1],
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        cut_from=cut_from,
        cut_x=0 if cut_from else None,
        cut_y=0 if cut_from else None,
    )
    if generation:
        GenerationReference.objects.create(generation=generation, reference=reference)
    return reference


def make_video(
    *,
    by: Membership,
    generation: Generation | None = None,
    model: VideoModel | None = None,
    prompt: str = "A harbour at dawn, fishing boats leaving in a line",
    size: tuple[int, int] = (160, 96),
    files: bool = True,
    **fields,
) -> Video:
    """A finished video of `by`. `files=False` leaves the bytes out, for tests of long lists."""
    id = fields.pop("id", None) or new_id()
    parent = fields.pop("parent_video", None)
    if generation is None:
        run = make_run(by=by, model=model, prompt=prompt, parent_video=parent)
        generation = make_generation(run=run, cost_micros=fields.pop("cost_micros", 380_000))
    data = clip_bytes(size) if files else b""
    keys = {"key": storage.video_key(id), "poster_key": storage.poster_key(id), "preview_key": storage.preview_key(id)}
    if files:
        store(keys["key"], data)
        store(keys["poster_key"], _picture(size, "WEBP"))
        store(keys["preview_key"], data)
    defaults = {
        "width": size[0],
        "height": size[1],
        "duration_ms": 1000,
        "has_audio": True,
        "size_bytes": len(data),
        "sha256": hashlib.sha256(data or id.bytes).hexdigest(),
        "content_type": "video/mp4",
        "settings": dict(generation.run.settings),
    }
    return Video.objects.create(
        id=id, team=by.team, owner=by.user, generation=generation, prompt=prompt, **{**keys, **defaults, **fields}
    )


def store(key: str, data: bytes) -> str:
    with storage.temporary() as path:
        path.write_bytes(data)
        storage.adopt(path, key)
    return key


@lru_cache(maxsize=8)
def clip_bytes(size: tuple[int, int] = (160, 96), seconds: float = 1.0) -> bytes:
    """A real MP4 with sound, drawn once."""
    with TemporaryDirectory() as folder:
        return make_clip(Path(folder) / "clip.mp4", seconds=seconds, size=size).read_bytes()


@lru_cache(maxsize=8)
def _picture(size: tuple[int, int], kind: str) -> bytes:
    file = BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(file, kind)
    return file.getvalue()


def is_proven(user: User) -> bool:
    """Whether the address of the account was shown to be its owner's."""
    return EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists()
