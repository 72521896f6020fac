"""Open seats in a team: who may open and take them, once, and what becomes of who is in the team already."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from smtplib import SMTPServerDisconnected
from threading import Barrier

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from playground.models import AuditEntry, Invitation, Membership, Role, User
from playground.services import invitations, teams
from playground.services.invitations import AddressInUse, NothingGained, OtherAddress
from playground.services.people import LinkEnded
from tests import factories

BASE = "https://videos.example.com"
PERSON = {"name": "A Person", "email": "a@example.com", "password": factories.PASSWORD}


@pytest.fixture
def admin(db) -> Membership:
    return factories.make_member(role=Role.ADMIN)


def invited(by: Membership, **fields) -> tuple[Invitation, str]:
    invitation, url = invitations.invite(by=by, **{"role": Role.CREATOR, "base_url": BASE, **fields})
    return invitation, url.removeprefix(f"{BASE}/invite/").rstrip("/")


def test_only_the_hash_of_the_token_is_kept(admin):
    invitation, token = invited(admin)
    assert len(token) >= 43
    assert token not in str(list(Invitation.objects.values())) + str(list(AuditEntry.objects.values()))
    assert len(invitation.token_hash) == 64


def test_who_takes_the_seat_has_its_role(admin):
    _, token = invited(admin, role=Role.VIEWER, sees_spend=False)
    user = factories.make_user()
    membership = invitations.accept(token=token, user=user)
    assert (membership.team, membership.role, membership.sees_spend) == (admin.team, Role.VIEWER, False)
    assert AuditEntry.objects.get(kind="invitation_accepted").by == user


@pytest.mark.parametrize("role", [Role.VIEWER, Role.CREATOR])
def test_only_admins_invite_and_revoke(admin, role):
    invitation, token = invited(admin)
    other = factories.make_member(team=admin.team, role=role)
    with pytest.raises(teams.NotAdmin):
        invited(other)
    with pytest.raises(teams.NotAdmin):
        invitations.revoke(by=other, invitation=invitation)
    assert invitations.open_invitation(token=token) == invitation


def test_role_is_read_anew_when_it_counts(admin):
    Membership.objects.filter(id=admin.id).update(role=Role.CREATOR)
    with pytest.raises(teams.NotAdmin):
        invited(admin)
    assert not Invitation.objects.exists()


def test_link_ends_by_use_by_time_and_by_revocation(admin):
    _, used = invited(admin)
    invitations.accept(token=used, user=factories.make_user())
    _, old = invited(admin, lifetime=timedelta(days=1))
    revoked_row, revoked = invited(admin)
    assert invitations.revoke(by=admin, invitation=revoked_row)
    later = timezone.now() + timedelta(days=2)
    for token, now in ((used, None), (old, later), (revoked, None), ("never-was", None)):
        with pytest.raises(LinkEnded):
            invitations.open_invitation(token=token, now=now)
        with pytest.raises(LinkEnded):
            invitations.accept(token=token, user=factories.make_user(), now=now)
    assert Membership.objects.count() == 2
    assert not invitations.revoke(by=admin, invitation=revoked_row)


def test_admin_of_another_team_revokes_nothing(admin):
    invitation, token = invited(admin)
    assert not invitations.revoke(by=factories.make_member(role=Role.ADMIN), invitation=invitation)
    assert invitations.open_invitation(token=token)


@pytest.mark.parametrize(
    ("role", "seat"),
    [
        (Role.ADMIN, Role.VIEWER),
        (Role.CREATOR, Role.VIEWER),
        (Role.VIEWER, Role.VIEWER),
    ],
)
def test_seat_that_is_no_more_than_a_member_has_gives_nothing_and_stays_open(admin, role, seat):
    member = factories.make_member(team=admin.team, role=role)
    Membership.objects.filter(id=member.id).update(sees_spend=False)
    invitation, token = invited(admin, role=seat)
    with pytest.raises(NothingGained):
        invitations.accept(token=token, user=member.user)
    member.refresh_from_db()
    assert (member.role, member.sees_spend) == (role, False)
    assert invitations.open_invitation(token=token) == invitation
    assert not AuditEntry.objects.filter(kind="invitation_accepted").exists()


@pytest.mark.parametrize(("seen", "by_seat"), [(True, False), (False, True), (False, False)])
def test_higher_seat_takes_no_sight_of_spend_away_and_its_gift_is_on_record(admin, seen, by_seat):
    member = factories.make_member(team=admin.team, role=Role.VIEWER)
    Membership.objects.filter(id=member.id).update(sees_spend=seen)
    _, token = invited(admin, role=Role.CREATOR, sees_spend=by_seat)
    membership = invitations.accept(token=token, user=member.user)
    member.refresh_from_db()
    assert (membership.id, member.role, member.sees_spend) == (member.id, Role.CREATOR, seen or by_seat)
    entries = {kind: AuditEntry.objects.get(kind=kind).data for kind in ("member_invited", "invitation_accepted")}
    assert entries["member_invited"]["sees_spend"] is by_seat
    assert entries["invitation_accepted"]["sees_spend"] is (seen or by_seat)


def test_invitation_to_an_address_is_for_that_account_alone(admin):
    _, token = invited(admin, email="Invited@Example.com")
    with pytest.raises(OtherAddress):
        invitations.accept(token=token, user=factories.make_user("other@example.com"))
    with pytest.raises(OtherAddress):
        invitations.sign_up(token=token, **PERSON)
    assert invitations.sign_up(token=token, **PERSON | {"email": "INVITED@example.com"}).team == admin.team


def test_of_several_to_one_address_those_end_that_give_no_more_and_the_record_says_so(admin):
    tokens = {role: invited(admin, email="a@example.com", role=role)[1] for role in (Role.VIEWER, Role.ADMIN)}
    again = invited(admin, email="A@example.com", role=Role.CREATOR)[1]
    taken = invited(admin, email="a@example.com", role=Role.CREATOR)[1]
    invited(admin, email="other@example.com", role=Role.VIEWER)
    invited(admin, role=Role.VIEWER)
    membership = invitations.sign_up(token=taken, **PERSON)
    for token in (tokens[Role.VIEWER], again):
        with pytest.raises(LinkEnded):
            invitations.open_invitation(token=token)
    assert AuditEntry.objects.get(kind="invitation_accepted").data["invitations"] == 2
    assert invitations.accept(token=tokens[Role.ADMIN], user=membership.user).role == Role.ADMIN
    assert "invitations" not in AuditEntry.objects.filter(kind="invitation_accepted").last().data
    assert invitations.open_ones().count() == 2


def test_refused_sign_up_makes_nothing(admin):
    _, token = invited(admin)
    factories.make_user("taken@example.com")
    people = User.objects.count()
    with pytest.raises(AddressInUse):
        invitations.sign_up(token=token, **PERSON | {"email": "Taken@example.com"})
    with pytest.raises(ValidationError):
        invitations.sign_up(token=token, **PERSON | {"password": "short"})
    assert User.objects.count() == people
    assert invitations.open_invitation(token=token)


def test_switched_off_person_takes_no_seat(admin):
    _, token = invited(admin)
    user = factories.make_user()
    User.objects.filter(id=user.id).update(is_active=False)
    with pytest.raises(LinkEnded):
        invitations.accept(token=token, user=user)
    assert invitations.open_invitation(token=token)


@pytest.mark.django_db(transaction=True)
def test_of_many_presses_at_once_one_takes_the_seat():
    admin = factories.make_member(role=Role.ADMIN)
    _, token = invited(admin)
    users = [factories.make_user() for _ in range(6)]
    start = Barrier(len(users))

    def press(user: User) -> bool:
        try:
            start.wait()
            invitations.accept(token=token, user=user)
            return True
        except LinkEnded:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(len(users)) as pool:
        results = list(pool.map(press, users))
    assert results.count(True) == 1
    assert admin.team.memberships.count() == 2
    assert Invitation.objects.get().accepted_by == users[results.index(True)]


def test_mail_carries_the_link_in_our_words(admin):
    admin.team.name = "Film\nLab"
    invitation, token = invited(admin, email="invited@example.com")
    invitation.team.name = "Film\nLab"
    assert invitations.mail(invitation=invitation, url=f"{BASE}/invite/{token}/")
    (letter,) = mail.outbox
    assert (letter.to, letter.subject) == (["invited@example.com"], "Join Film Lab in Video Playground")
    assert f"{BASE}/invite/{token}/" in letter.body
    assert "works once" in letter.body
    assert Invitation.objects.get().mailed_at


def test_mail_that_fails_is_said_and_the_link_stays_good(admin, monkeypatch):
    invitation, token = invited(admin, email="invited@example.com")

    def broken(self):
        raise SMTPServerDisconnected("gone")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", broken)
    assert not invitations.mail(invitation=invitation, url=f"{BASE}/invite/{token}/")
    assert Invitation.objects.get().mailed_at is None
    assert invitations.open_invitation(token=token)
