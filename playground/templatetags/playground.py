"""Words for money and time, and the outline of a shape. Templates say `{% load playground %}`."""

from datetime import datetime, timedelta

from django import template
from django.conf import settings
from django.forms import BaseForm
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from playground.domain import money
from playground.domain.capabilities import SHAPES, ratio_of

register = template.Library()


@register.simple_tag
def login_code_minutes() -> int:
    """How long a code from a mail is good for."""
    return int(settings.ACCOUNT_LOGIN_BY_CODE_TIMEOUT) // 60


@register.filter
def first_wrong(form: BaseForm) -> str:
    """The name of the first field with an error, which takes the focus."""
    return next((field.name for field in form if field.errors), "")


@register.filter
def price(micros: int | None) -> str:
    """What something will cost: `about $0.84`, rounded up; `less than $0.01`; empty when it is not known."""
    if micros is None:
        return ""
    if money.is_tiny(micros):
        return _("less than $0.01")
    return _("about %(amount)s") % {"amount": money.dollars(micros, rounding="up")}


@register.filter
def cost(micros: int | None) -> str:
    """What something did cost: `$0.84`, rounded to the nearest cent; `less than $0.01`; empty when it is not known."""
    if micros is None:
        return ""
    if money.is_tiny(micros):
        return _("less than $0.01")
    return money.dollars(micros)


@register.filter
def amount(micros: int | None) -> str:
    """A price without "about": `$0.84`, rounded up, for sentences and chips."""
    if micros is None:
        return ""
    if money.is_tiny(micros):
        return _("less than $0.01")
    return money.dollars(micros, rounding="up")


@register.filter
def unit_price(micros: int | None) -> str:
    """A unit price with the decimals it needs: `$0.105`."""
    return "" if micros is None else money.unit_dollars(micros)


def ago(moment: datetime, now: datetime | None = None) -> str:
    """`just now`, `2 min ago`, `3 h ago`, then the date."""
    seconds = int(((now or timezone.now()) - moment).total_seconds())
    if seconds < 60:
        return _("just now")
    if seconds < 3600:
        return _("%(n)d min ago") % {"n": seconds // 60}
    if seconds < 86400:
        return _("%(n)d h ago") % {"n": seconds // 3600}
    if seconds < 7 * 86400:
        days = seconds // 86400
        return ngettext("%(n)d day ago", "%(n)d days ago", days) % {"n": days}
    return formats.date_format(timezone.localtime(moment), "DATE_FORMAT")


@register.filter
def time_ago(moment: datetime | None) -> str | SafeString:
    """`<time>` with the age as text and the full date and zone on hover."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    full = f"{formats.date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"
    return format_html('<time datetime="{}" title="{}">{}</time>', local.isoformat(), full, ago(moment))


@register.filter
def full_time(moment: datetime | None) -> str | SafeString:
    """`<time>` with date, time and zone as text."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    text = f"{formats.date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), text)


@register.filter
def clock(value: timedelta | float | None) -> str:
    """Seconds as `0:08`, `4:10` or `1:02:03`."""
    if value is None:
        return ""
    seconds = int(value.total_seconds() if isinstance(value, timedelta) else value)
    minutes, rest = divmod(max(seconds, 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def shape_class(shape: str) -> str:
    """The class that gives a box this shape: `"16:9"` -> `r-16x9`."""
    return f"r-{shape.replace(':', 'x')}" if shape in SHAPES else "r-16x9"


@register.filter
def shape_icon(shape: str) -> SafeString:
    """A 16 px outline of the shape."""
    ratio = ratio_of(shape) if shape in SHAPES else 16 / 9
    width, height = (14.0, 14 / ratio) if ratio >= 1 else (14 * ratio, 14.0)
    return format_html(
        '<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" '
        'aria-hidden="true"><rect x="{}" y="{}" width="{}" height="{}" rx="1.5"/></svg>',
        *(f"{number:.2f}" for number in ((16 - width) / 2, (16 - height) / 2, width, height)),
    )
