"""Roles, removal and leaving: what goes at once, what stays, and that a team always keeps an admin."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from playground.domain.status import Status
from playground.models import AuditEntry, Generation, Invitation, LedgerEntry, Membership, Role, ShareLink, User
from playground.services import invitations, line, members, profiles, teams
from playground.services.invitations import NothingGained
from playground.services.members import LastAdmin
from playground.services.people import LinkEnded
from playground.services.run_errors import NotAllowed
from tests import factories


@pytest.fixture
def admin(db) -> Membership:
    return factories.make_member(role=Role.ADMIN)


@pytest.fixture
def member(admin) -> Membership:
    return factories.make_member(team=admin.team)


def change(by: Membership, member: Membership, role: Role, sees_spend: bool = True) -> bool | None:
    return members.change(by=by, member=member, role=role, sees_spend=sees_spend)


def make_link(by: Membership) -> ShareLink:
    video = factories.make_video(by=by, files=False)
    return ShareLink.objects.create(
        team=by.team, created_by=by.user, name="Client", video=video, token_hash=video.id.hex * 2
    )


def test_change_is_on_record_with_old_and_new(admin, member):
    assert change(admin, member, Role.VIEWER, sees_spend=False)
    member.refresh_from_db()
    assert (member.role, member.sees_spend) == (Role.VIEWER, False)
    entry = AuditEntry.objects.get()
    assert (entry.kind, entry.by, entry.data["role"]) == (
        "member_changed",
        admin.user,
        {"was": "creator", "is": "viewer"},
    )
    assert entry.data["sees_spend"] == {"was": True, "is": False}


def test_change_to_what_it_is_leaves_no_record(admin, member):
    assert change(admin, member, Role.CREATOR) is False
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CREATOR])
def test_only_admins_change_and_remove(admin, member, role):
    other = factories.make_member(team=admin.team, role=role)
    for deed in (lambda: change(other, member, Role.ADMIN), lambda: members.remove(by=other, member=member)):
        with pytest.raises(teams.NotAdmin):
            deed()
    assert change(admin, factories.make_member(), Role.ADMIN) is None, "of another team"
    assert members.remove(by=admin, member=factories.make_member()) is None


def test_last_admin_is_neither_demoted_nor_removed_nor_leaves(admin, member):
    switched_off = factories.make_member(team=admin.team, role=Role.ADMIN)
    User.objects.filter(id=switched_off.user_id).update(is_active=False)
    for deed in (
        lambda: change(admin, admin, Role.CREATOR),
        lambda: members.remove(by=admin, member=admin),
        lambda: members.leave(by=admin),
    ):
        with pytest.raises(LastAdmin):
            deed()
    admin.refresh_from_db()
    assert admin.is_admin
    assert not AuditEntry.objects.exists()


def test_demoted_admin_has_no_seats_open_any_more(admin):
    other = factories.make_member(team=admin.team, role=Role.ADMIN)
    invitations.invite(by=other, role=Role.ADMIN, base_url="http://x")
    invitations.invite(by=admin, role=Role.ADMIN, base_url="http://x")
    change(admin, other, Role.CREATOR)
    assert [one.created_by for one in invitations.open_ones()] == [admin.user]


@pytest.mark.parametrize("deed", ["remove", "demote"])
def test_seat_that_stayed_open_gives_nothing_back(admin, deed):
    """Invited twice, since the first mail seemed lost."""
    user = factories.make_user()
    first, second = (
        invitations.invite(by=admin, role=Role.ADMIN, email=user.email, base_url="http://x")[1]
        .rstrip("/")
        .rpartition("/")[2]
        for _ in range(2)
    )
    invitations.invite(by=admin, role=Role.VIEWER, email="other@example.com", base_url="http://x")
    joined = invitations.accept(token=second, user=user)
    if deed == "remove":
        members.remove(by=admin, member=joined)
    else:
        change(admin, joined, Role.CREATOR)
    with pytest.raises(LinkEnded):
        invitations.accept(token=first, user=user)
    assert invitations.open_ones().get().email == "other@example.com"


@pytest.mark.parametrize("gone", ["accepted", "open"])
def test_seats_to_a_mailbox_of_before_give_nothing_back(admin, gone):
    """Their address is another now. `accepted` ends the twin; `open` was made while they were in already."""
    user = factories.make_user("zoe@a.example")
    tokens = [token_of(invitations.invite(by=admin, role=Role.ADMIN, email="Zoe@a.example", base_url="http://x"))]
    if gone == "accepted":
        tokens.append(
            token_of(invitations.invite(by=admin, role=Role.ADMIN, email="zoe@a.example", base_url="http://x"))
        )
    joined = invitations.accept(token=tokens.pop(0), user=user)
    if gone == "open":
        tokens.append(
            token_of(invitations.invite(by=admin, role=Role.ADMIN, email="ZOE@a.example", base_url="http://x"))
        )
    User.objects.filter(id=user.id).update(email="zoe@b.example")
    members.remove(by=admin, member=Membership.objects.get(id=joined.id))
    assert not invitations.open_ones().exists()
    with pytest.raises(LinkEnded):
        invitations.accept(token=tokens[0], user=factories.make_user("zoe@a.example"))


@pytest.mark.parametrize("deed", ["remove", "demote"])
def test_higher_seat_than_the_one_taken_is_no_way_back_by_a_new_account_at_the_mailbox(admin, deed):
    """The one taken was to a mailbox of before; a demotion and a removal say how many seats ended."""
    roles = (Role.CREATOR, Role.ADMIN)
    taken, higher = (
        token_of(invitations.invite(by=admin, role=role, email="zoe@a.example", base_url="http://x")) for role in roles
    )
    user = factories.make_user("zoe@a.example")
    joined = invitations.accept(token=taken, user=user)
    User.objects.filter(id=user.id).update(email="zoe@b.example")
    assert invitations.open_invitation(token=higher)
    if deed == "remove":
        members.remove(by=admin, member=joined)
    else:
        change(admin, joined, Role.VIEWER)
    with pytest.raises(LinkEnded):
        invitations.accept(token=higher, user=factories.make_user("zoe@a.example"))
    assert AuditEntry.objects.latest("id").data["invitations"] == 1


def joined_by_link(admin: Membership, email: str) -> Membership:
    token = token_of(invitations.invite(by=admin, role=Role.ADMIN, base_url="http://x"))
    return invitations.sign_up(token=token, name="Zoe", email=email, password="a long enough password")


def test_seat_that_was_not_taken_gives_nothing_back_to_a_mailbox_of_before(admin):
    """The mail seemed lost, so a link without an address brought them in."""
    lost = token_of(invitations.invite(by=admin, role=Role.ADMIN, email="Zoe@a.example", base_url="http://x"))
    joined = joined_by_link(admin, "zoe@a.example")
    with pytest.raises(NothingGained):
        invitations.accept(token=lost, user=joined.user)
    profiles.change_email(user=joined.user, email="zoe@b.example")
    entry = AuditEntry.objects.get(kind="invitation_left_behind")
    assert (entry.team, entry.by, entry.data["email"], entry.data["role"]) == (
        admin.team,
        None,
        "zoe@a.example",
        "admin",
    )
    members.remove(by=admin, member=joined)
    with pytest.raises(LinkEnded):
        invitations.accept(token=lost, user=factories.make_user("zoe@a.example"))


def test_new_address_ends_no_seat_but_those_of_ones_teams_to_the_old_one(admin):
    joined, elsewhere = joined_by_link(admin, "zoe@a.example"), factories.make_member(role=Role.ADMIN)
    for by, email in ((admin, "zoe@b.example"), (admin, ""), (elsewhere, "zoe@a.example")):
        invitations.invite(by=by, role=Role.ADMIN, email=email, base_url="http://x")
    joined.user.name = "Zoe Z."
    joined.user.save()
    joined.user.email = "Zoe@a.example"
    joined.user.save()
    profiles.change_email(user=joined.user, email="zoe@c.example")
    assert invitations.open_ones().count() == 3
    assert not AuditEntry.objects.filter(kind="invitation_left_behind").exists()


def test_seats_that_stay_are_those_that_a_removal_does_not_end(admin):
    joined = joined_by_link(admin, "zoe@a.example")
    invitations.invite(by=joined, role=Role.VIEWER, email="x@x.example", base_url="http://x")
    for email in ("", "zoe@a.example", "other@x.example"):
        invitations.invite(by=admin, role=Role.VIEWER, email=email, base_url="http://x")
    stay = set(members.seats_that_stay(joined).values_list("email", flat=True))
    members.remove(by=admin, member=joined)
    assert stay == set(invitations.open_ones().values_list("email", flat=True)) == {"", "other@x.example"}


def token_of(made) -> str:
    return made[1].rstrip("/").rpartition("/")[2]


def test_removal_ends_sessions_links_and_seats_and_keeps_videos(admin, client):
    other = factories.make_member(team=admin.team, role=Role.ADMIN)
    client.force_login(other.user)
    UserSession.objects.create(user=other.user, ip="127.0.0.1", session_key="of-allauth")
    video, link, kept = factories.make_video(by=other, files=False), make_link(other), make_link(admin)
    invitations.invite(by=other, role=Role.CREATOR, base_url="http://x")
    gone = members.remove(by=admin, member=other)
    assert (gone.name, gone.links, gone.invitations) == (other.user.display_name, 1, 1)
    link.refresh_from_db(), kept.refresh_from_db(), video.refresh_from_db()
    assert (link.revoked_by, kept.revoked_at) == (admin.user, None)
    assert link.revoked_at
    assert Invitation.objects.get().revoked_at
    assert not Session.objects.exists()
    assert not UserSession.objects.exists()
    assert video.owner == other.user
    assert not Membership.objects.filter(id=other.id).exists()
    entry = AuditEntry.objects.get(kind="member_removed")
    assert (entry.id, entry.data["name"], entry.by) == (gone.entry, other.user.display_name, admin.user)


def test_sessions_of_others_go_on(admin, member, client):
    client.force_login(admin.user)
    members.remove(by=admin, member=member)
    assert Session.objects.count() == 1


def test_removal_touches_no_other_team(admin, member):
    elsewhere = factories.make_member(user=member.user)
    link = make_link(elsewhere)
    waiting = factories.make_generation(by=elsewhere, status=Status.QUEUED)
    members.remove(by=admin, member=member)
    link.refresh_from_db(), waiting.refresh_from_db()
    assert (link.revoked_at, waiting.status) == (None, Status.QUEUED)
    assert Membership.objects.filter(id=elsewhere.id).exists()


def test_waiting_orders_are_stopped_for_free_and_running_ones_go_on(admin, member):
    waiting = factories.make_generation(by=member, status=Status.QUEUED)
    factories.make_entry(waiting, "hold", 500_000)
    running = factories.make_generation(by=member, status=Status.RUNNING)
    others = factories.make_generation(by=admin, status=Status.QUEUED)
    assert members.remove(by=admin, member=member).stopped == 1
    states = dict(Generation.objects.values_list("id", "status"))
    assert states == {waiting.id: Status.CANCELLED, running.id: Status.RUNNING, others.id: Status.QUEUED}
    assert set(LedgerEntry.objects.filter(generation=waiting).values_list("kind", flat=True)) == {"hold", "release"}


def test_who_leaves_stays_signed_in_for_other_teams(admin, member, client):
    client.force_login(member.user)
    make_link(member)
    assert members.leave(by=member).links == 1
    assert Session.objects.count() == 1
    assert AuditEntry.objects.get().kind == "member_left"
    assert members.leave(by=member) is None


@pytest.mark.parametrize("how", ["removed", "demoted", "switched off"])
def test_no_order_is_written_after_the_right_to_is_gone(admin, member, how):
    if how == "removed":
        members.remove(by=admin, member=member)
    elif how == "demoted":
        change(admin, member, Role.VIEWER)
    else:
        User.objects.filter(id=member.user_id).update(is_active=False)
    with pytest.raises(NotAllowed):
        line.join(by=member, count=1)


def at_once(*deeds: Callable[[], object]) -> list[str]:
    """Do them at the same moment; says of each what came of it."""
    start = Barrier(len(deeds))

    def run(deed: Callable[[], object]) -> str:
        try:
            start.wait()
            deed()
            return "done"
        except (LastAdmin, teams.NotAdmin) as error:
            return type(error).__name__
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return sorted(pool.map(run, deeds))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deed", ["demote", "remove"])
def test_of_two_admins_who_act_on_each_other_at_once_one_wins(deed):
    for _round in range(5):
        one = factories.make_member(role=Role.ADMIN)
        two = factories.make_member(team=one.team, role=Role.ADMIN)
        if deed == "demote":
            done = at_once(lambda: change(one, two, Role.VIEWER), lambda: change(two, one, Role.VIEWER))  # noqa: B023
        else:
            done = at_once(lambda: members.remove(by=one, member=two), lambda: members.remove(by=two, member=one))  # noqa: B023
        assert done == ["NotAdmin", "done"]
        assert one.team.memberships.filter(role=Role.ADMIN).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_last_admins_who_leave_at_once_one_stays():
    for _round in range(5):
        one = factories.make_member(role=Role.ADMIN)
        two = factories.make_member(team=one.team, role=Role.ADMIN)
        assert at_once(lambda: members.leave(by=one), lambda: members.leave(by=two)) == ["LastAdmin", "done"]  # noqa: B023


def test_old_sessions_are_not_looked_into(admin, member, client):
    client.force_login(member.user)
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
    assert members.remove(by=admin, member=member)
