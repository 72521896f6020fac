"""Where somebody is signed in, and how to sign out everywhere else."""

from typing import Any

from allauth.usersessions import views as allauth_views
from django.urls import URLPattern, path, reverse_lazy

from playground.views.devices import device_name


class Devices(allauth_views.ListUserSessionsView):  # type: ignore[misc]
    success_url = reverse_lazy("usersessions_list")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = super().get_context_data(**kwargs)
        sessions = sorted(found["sessions"], key=lambda one: (not one.is_current(), -one.created_at.timestamp()))
        found["devices"] = [{"session": one, "name": device_name(one.user_agent)} for one in sessions]
        return {**found, "others": len(sessions) - 1}


urlpatterns: list[URLPattern] = [path("devices/", Devices.as_view(), name="usersessions_list")]
