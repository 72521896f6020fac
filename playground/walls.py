"""Who gets what at every address: the matrix that tests/walls/test_matrix.py plays and docs/security.md shows.

A row for each name in urls.py; one without a row fails the test. GET stands for HEAD too. PUT, DELETE and all other
methods are 405 for everybody (playground/middleware.py). What is forbidden looks like what is missing: the same 404.
"""

from dataclasses import dataclass
from enum import StrEnum


class Actor(StrEnum):
    ANONYMOUS = "anonymous"
    HOLDER = "holder of a share link"
    VIEWER = "viewer"
    CREATOR = "creator"
    ADMIN = "admin"
    OTHER = "admin of another team"
    REMOVED = "removed member"
    """Who has signed in again; the sessions of before ended with the membership."""


class Gets(StrEnum):
    YES = "yes"
    OWN = "own"
    """What they made themselves; what others made is 404."""
    THEIRS = "theirs"
    """The same page of their own team; with anything of this team in query or form it is 404."""
    SIGN_IN = "sign in"
    """302 to the sign-in page; what htmx asks for gets 401 and the way there."""
    NO_TEAM = "no team"
    """403: a page that says that one is in no team, whatever the address."""
    MISSING = "404"
    NOT_TAKEN = "405"
    SIGNED = "signed"
    """By a signature or a token of its own, whoever sends it."""


Cells = dict[Actor, Gets]


def _cells(anonymous: Gets, viewer: Gets, creator: Gets, admin: Gets, other: Gets, removed: Gets) -> Cells:
    """A link's holder is anonymous everywhere but at the link."""
    return dict(zip(Actor, (anonymous, anonymous, viewer, creator, admin, other, removed), strict=True))


def _all(gets: Gets) -> Cells:
    return _cells(gets, gets, gets, gets, gets, gets)


_YES, _OWN, _404, _405 = Gets.YES, Gets.OWN, Gets.MISSING, Gets.NOT_TAKEN
_IN, _OUT, _THEIRS = Gets.SIGN_IN, Gets.NO_TEAM, Gets.THEIRS

ANYBODY = _all(_YES)
BY_SIGNATURE = _all(Gets.SIGNED)
NOT_TAKEN = _all(_405)
NOTHING = _cells(_IN, _405, _405, _405, _405, _405)
"""A method that the address does not take, where one has to sign in first."""
PEOPLE = _cells(_IN, _YES, _YES, _YES, _YES, _YES)
"""One's own account, whatever the team."""
MEMBERS = _cells(_IN, _YES, _YES, _YES, _THEIRS, _OUT)
CREATORS = _cells(_IN, _404, _YES, _YES, _THEIRS, _OUT)
ADMINS = _cells(_IN, _404, _404, _YES, _THEIRS, _OUT)
THING = _cells(_IN, _YES, _YES, _YES, _404, _OUT)
"""A thing of the team, for all of its members."""
THING_OF_CREATORS = _cells(_IN, _404, _YES, _YES, _404, _OUT)
THING_OF_MAKER = _cells(_IN, _404, _OWN, _YES, _404, _OUT)
THING_OF_MAKER_OF_ANY_ROLE = _cells(_IN, _OWN, _OWN, _YES, _404, _OUT)
THING_OF_MAKER_ALONE = _cells(_IN, _404, _OWN, _OWN, _404, _OUT)
THING_OF_ASKER = _cells(_IN, _OWN, _OWN, _OWN, _404, _OUT)
THING_OF_ADMINS = _cells(_IN, _404, _404, _YES, _404, _OUT)
HOLDERS = _all(_404) | {Actor.HOLDER: _YES}
"""Whoever has the address. The others have one that is wrong, has ended or was revoked: those cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Wall:
    name: str
    """Of the address in urls.py; ` <id>` tells two of one name apart."""
    get: Cells
    post: Cells


def _wall(name: str, get: Cells, post: Cells = NOTHING) -> Wall:
    return Wall(name, get, post)


OPEN = (
    _wall("health.healthz", ANYBODY, NOT_TAKEN),
    _wall("health.readyz", ANYBODY, NOT_TAKEN),
    _wall("metrics.index", BY_SIGNATURE, NOT_TAKEN),
    _wall("hooks.receive", NOT_TAKEN, BY_SIGNATURE),
    _wall("home.index", PEOPLE, NOT_TAKEN),
    _wall("styleguide.index", MEMBERS),
    _wall("welcome.index", BY_SIGNATURE, BY_SIGNATURE),
    _wall("signin_link.index", BY_SIGNATURE, BY_SIGNATURE),
    _wall("invitations.index", BY_SIGNATURE, BY_SIGNATURE),
)
LINKS = (
    _wall("shares.index", HOLDERS, NOT_TAKEN),
    _wall("shares.unlock", NOT_TAKEN, HOLDERS),
    _wall("shares.video", HOLDERS, NOT_TAKEN),
    _wall("shares.mark", NOT_TAKEN, HOLDERS),
    _wall("share_media.video", HOLDERS, NOT_TAKEN),
    _wall("share_media.poster", HOLDERS, NOT_TAKEN),
    _wall("share_media.preview", HOLDERS, NOT_TAKEN),
    _wall("share_media.download", HOLDERS, NOT_TAKEN),
    _wall("shares.nothing", _all(_404), _all(_404)),
)
ACCOUNT = (
    _wall("account_login", ANYBODY, ANYBODY),
    _wall("account_logout", ANYBODY, ANYBODY),
    _wall("account_inactive", ANYBODY, NOT_TAKEN),
    _wall("account.index", PEOPLE, PEOPLE),
    _wall("account.second_step", PEOPLE),
    _wall("account_reauthenticate", PEOPLE, PEOPLE),
    _wall("account_email", PEOPLE, PEOPLE),
    _wall("account_confirm_email", BY_SIGNATURE, BY_SIGNATURE),
    _wall("signup.finish", BY_SIGNATURE, BY_SIGNATURE),
    _wall("socialaccount_connections", PEOPLE, PEOPLE),
    _wall("socialaccount_login_cancelled", ANYBODY, NOT_TAKEN),
    _wall("socialaccount_login_error", BY_SIGNATURE, NOT_TAKEN),
    _wall("socialaccount_signup", PEOPLE, PEOPLE),
    _wall("openid_connect_login", BY_SIGNATURE, BY_SIGNATURE),
    _wall("openid_connect_callback", BY_SIGNATURE, BY_SIGNATURE),
    _wall("google_login", ANYBODY, ANYBODY),
    _wall("google_callback", BY_SIGNATURE, BY_SIGNATURE),
    _wall("github_login", ANYBODY, ANYBODY),
    _wall("github_callback", BY_SIGNATURE, BY_SIGNATURE),
    _wall("account_change_password", PEOPLE, PEOPLE),
    _wall("account_set_password", PEOPLE, PEOPLE),
    _wall("account_request_login_code", ANYBODY, ANYBODY),
    _wall("account_confirm_login_code", PEOPLE, PEOPLE),
    _wall("account_reset_password", ANYBODY, ANYBODY),
    _wall("account_reset_password_done", ANYBODY, NOT_TAKEN),
    _wall("account_reset_password_from_key", BY_SIGNATURE, BY_SIGNATURE),
    _wall("account_reset_password_from_key_done", ANYBODY, NOT_TAKEN),
    _wall("account_signup", ANYBODY, ANYBODY),
    _wall("usersessions_list", PEOPLE, PEOPLE),
    _wall("mfa_index", PEOPLE, PEOPLE),
    _wall("mfa_authenticate", PEOPLE, PEOPLE),
    _wall("mfa_reauthenticate", PEOPLE, PEOPLE),
    _wall("mfa_activate_totp", PEOPLE, PEOPLE),
    _wall("mfa_deactivate_totp", PEOPLE, PEOPLE),
    _wall("mfa_view_recovery_codes", PEOPLE, NOTHING),
    _wall("mfa_generate_recovery_codes", PEOPLE, PEOPLE),
    _wall("mfa_download_recovery_codes", PEOPLE, PEOPLE),
    _wall("mfa_reauthenticate_webauthn", PEOPLE, PEOPLE),
    _wall("mfa_login_webauthn", PEOPLE, ANYBODY),
    _wall("mfa_add_webauthn", PEOPLE, PEOPLE),
    _wall("mfa_edit_webauthn", PEOPLE, PEOPLE),
    _wall("mfa_remove_webauthn", PEOPLE, PEOPLE),
)
CREATE = (
    _wall("create.index", MEMBERS, MEMBERS),
    _wall("create.price", NOTHING, MEMBERS),
    _wall("references.upload", NOTHING, MEMBERS),
    _wall("generations.cards", MEMBERS),
    _wall("generations.card", THING),
    _wall("generations.cancel", NOTHING, THING_OF_MAKER),
    _wall("generations.again", NOTHING, THING_OF_CREATORS),
    _wall("runs.index", MEMBERS),
    _wall("runs.detail", THING),
    _wall("requests.index", MEMBERS),
    _wall("requests.decline", NOTHING, THING_OF_CREATORS),
    _wall("requests.take_back", NOTHING, THING_OF_ASKER),
)
VIDEOS = (
    _wall("gallery.index", MEMBERS),
    _wall("gallery.newer", MEMBERS),
    _wall("videos.detail", THING),
    _wall("videos.rename", NOTHING, THING_OF_MAKER),
    _wall("videos.trash", NOTHING, THING_OF_MAKER),
    _wall("videos.restore", NOTHING, THING_OF_MAKER),
    _wall("videos.purge", NOTHING, THING_OF_MAKER),
    _wall("videos.visibility", NOTHING, THING_OF_MAKER_ALONE),
    _wall("trash.index", MEMBERS),
    _wall("media.video", THING),
    _wall("media.poster", THING),
    _wall("media.preview", THING),
    _wall("media.download", THING),
    _wall("media.reference", THING),
    _wall("media.reference_thumb", THING),
)
TOGETHER = (
    _wall("favourites.mark", NOTHING, THING),
    _wall("approvals.mark", NOTHING, THING_OF_CREATORS),
    _wall("comments.index", THING, THING),
    _wall("comments.remove", NOTHING, THING_OF_MAKER_OF_ANY_ROLE),
    _wall("comments.restore", NOTHING, THING_OF_ASKER),
    _wall("collections.index", MEMBERS),
    _wall("collections.create", CREATORS, CREATORS),
    _wall("collections.detail", THING),
    _wall("collections.add", NOTHING, THING_OF_CREATORS),
    _wall("collections.remove", NOTHING, THING_OF_CREATORS),
    _wall("collections.put_back", NOTHING, THING_OF_CREATORS),
    _wall("collections.rename", NOTHING, THING_OF_MAKER),
    _wall("collections.visibility", NOTHING, THING_OF_MAKER_ALONE),
    _wall("collections.delete", NOTHING, THING_OF_MAKER),
    _wall("collections.restore", NOTHING, THING_OF_MAKER),
    _wall("sharing.video", THING_OF_MAKER, THING_OF_MAKER),
    _wall("sharing.video_preview", NOTHING, THING_OF_MAKER),
    _wall("sharing.collection", THING_OF_MAKER, THING_OF_MAKER),
    _wall("sharing.collection_preview", NOTHING, THING_OF_MAKER),
    _wall("share_links.index", CREATORS),
    _wall("share_links.detail", THING_OF_MAKER, THING_OF_MAKER),
    _wall("share_links.preview", NOTHING, THING_OF_MAKER),
    _wall("share_links.renew", NOTHING, THING_OF_MAKER),
    _wall("share_links.revoke", NOTHING, THING_OF_MAKER),
)
TEAM = (
    _wall("team.index", MEMBERS),
    _wall("team.leave", MEMBERS, MEMBERS),
    _wall("team.new", ADMINS, ADMINS),
    _wall("members.change", NOTHING, THING_OF_ADMINS),
    _wall("members.remove", THING_OF_ADMINS, THING_OF_ADMINS),
    _wall("team_invitations.index", ADMINS, ADMINS),
    _wall("team_invitations.revoke", NOTHING, THING_OF_ADMINS),
    _wall("team_settings.index", ADMINS, ADMINS),
    _wall("audit.index", ADMINS),
    _wall("audit.export", ADMINS),
)
MONEY = (
    _wall("spend.index", MEMBERS),
    _wall("spend.export", MEMBERS),
    _wall("spend.reconcile", ADMINS),
    _wall("spend.compare", NOTHING, ADMINS),
    _wall("limits.index", ADMINS, ADMINS),
    _wall("limits.pause", NOTHING, ADMINS),
    _wall("limits.answer", NOTHING, THING_OF_ADMINS),
    _wall("unclear.index", ADMINS),
    _wall("unclear.send", NOTHING, THING_OF_ADMINS),
    _wall("unclear.close", NOTHING, THING_OF_ADMINS),
    _wall("unclear.adopt", NOTHING, THING_OF_ADMINS),
    _wall("team_gateways.moved", ADMINS),
    _wall("team_gateways.index", ADMINS),
    _wall("team_gateways.add", ADMINS, ADMINS),
    _wall("team_gateways.check", NOTHING, ADMINS),
    _wall("team_gateways.use", NOTHING, ADMINS),
    _wall("team_gateways.resume", NOTHING, ADMINS),
    _wall("team_gateways.edit", THING_OF_ADMINS, THING_OF_ADMINS),
    _wall("team_gateways.key", THING_OF_ADMINS, THING_OF_ADMINS),
    _wall("team_gateways.remove", THING_OF_ADMINS, THING_OF_ADMINS),
    _wall("team_gateways.check <id>", NOTHING, THING_OF_ADMINS),
    _wall("team_gateways.use <id>", NOTHING, THING_OF_ADMINS),
    _wall("team_gateways.resume <id>", NOTHING, THING_OF_ADMINS),
    _wall("team_models.index", ADMINS, ADMINS),
    _wall("notices.index", MEMBERS),
    _wall("notices.seen", NOTHING, MEMBERS),
)
GROUPS = {
    "Open, or with a token of their own": OPEN,
    "Share links": LINKS,
    "Accounts": ACCOUNT,
    "Making": CREATE,
    "Videos": VIDEOS,
    "Together": TOGETHER,
    "Team": TEAM,
    "Money and gateways": MONEY,
}
WALLS = {wall.name: wall for group in GROUPS.values() for wall in group}


def table() -> str:
    """The matrix as Markdown, a table for each group, for docs/security.md. `GET / POST`, one word where both agree."""
    return "\n\n".join(f"#### {title}\n\n{_table(group)}" for title, group in GROUPS.items())


def _table(group: tuple[Wall, ...]) -> str:
    head = f"| Address | {' | '.join(Actor)} |\n|{'---|' * (len(Actor) + 1)}"
    rows = [f"| `{wall.name}` | {' | '.join(_cell(wall, actor) for actor in Actor)} |" for wall in group]
    return "\n".join([head, *rows])


def _cell(wall: Wall, actor: Actor) -> str:
    get, post = wall.get[actor], wall.post[actor]
    return get.value if get is post else f"{get} / {post}"
