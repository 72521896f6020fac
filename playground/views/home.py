"""The front door."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe


@require_safe
@login_not_required
def index(request: HttpRequest) -> HttpResponse:
    """Signed in: to Create. Else to the sign-in page, which also says what to do while nobody has an account."""
    return redirect("create.index" if request.user.is_authenticated else "account_login")
