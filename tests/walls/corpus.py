"""Hostile text: whatever of it runs, or makes htmx ask, leaves a mark that the tests look for.

What runs calls `window.struck(N)` or asks for `/struck/N`, with N the place in CORPUS. None may do either.
"""

from itertools import count
from string import Template

RUN = "window.struck&&struck($n)"
"""As code. `$n` becomes the number of the text."""
ASK = "/struck/$n"

TAGS = (
    "<script>$run</script>",
    "<SCRIPT>$run</SCRIPT>",
    "<script src=$ask></script>",
    "<script type=module>$run</script>",
    "<script\n>$run</script\n>",
    "<script/x>$run</script>",
    "<scr<script>ipt>$run</scr</script>ipt>",
    "<svg onload=$run>",
    "<svg/onload=$run>",
    "<svg><script>$run</script></svg>",
    "<svg><animate onbegin=$run attributeName=x dur=1s>",
    "<svg><a xlink:href=javascript:$run><text y=20>press</text></a></svg>",
    "<svg><use href=data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9c3RydWNrKCk+#x></svg>",
    "<svg><foreignObject><body onload=$run></foreignObject></svg>",
    "<math><mtext><img src=x onerror=$run></mtext></math>",
    "<math href=javascript:$run>press</math>",
    "<img src=x onerror=$run>",
    "<IMG SRC=x OnErRoR=$run>",
    "<img src=`x`onerror=$run>",
    "<img/src=x/onerror=$run>",
    "<img src=x onerror\n=\n$run>",
    "<img srcset=$ask>",
    "<img src=$ask>",
    "<image src=x onerror=$run>",
    "<video src=x onerror=$run></video>",
    "<video><source onerror=$run></video>",
    "<video poster=$ask></video>",
    "<audio src=x onerror=$run>",
    "<body onload=$run>",
    "<body onpageshow=$run>",
    "<iframe src=javascript:$run></iframe>",
    "<iframe srcdoc='<script>parent.$run</script>'></iframe>",
    "<iframe onload=$run></iframe>",
    "<object data=javascript:$run></object>",
    "<embed src=javascript:$run>",
    "<embed src=$ask>",
    "<link rel=stylesheet href=$ask>",
    "<link rel=prefetch href=$ask>",
    "<link rel=modulepreload href=$ask>",
    "<meta http-equiv=refresh content='0;url=$ask'>",
    "<meta http-equiv=Content-Security-Policy content=\"script-src 'unsafe-inline'\">",
    "<base href=$ask>",
    "<style>@import '$ask';</style>",
    "<style>body{background:url($ask)}</style>",
    "<style onload=$run></style>",
    "<div style='background:url($ask)'>x</div>",
    "<input autofocus onfocus=$run>",
    "<input type=image src=x onerror=$run>",
    "<select autofocus onfocus=$run></select>",
    "<textarea autofocus onfocus=$run></textarea>",
    "<button autofocus onfocus=$run>x</button>",
    "<a href=javascript:$run autofocus onfocus=$run>x</a>",
    "<details open ontoggle=$run>x</details>",
    "<marquee onstart=$run>x</marquee>",
    "<p style=animation-name:x onanimationstart=$run>x</p>",
    "<x contenteditable onfocus=$run autofocus tabindex=1>x</x>",
    "<x onclick=$run id=x tabindex=1>x</x><script>x.click()</script>",
    "<form action=$ask><button autofocus>x</button></form>",
    "<form action=javascript:$run><input type=submit></form>",
    "<isindex action=javascript:$run type=image>",
    "<table background=$ask><tr><td>x</table>",
    "<template><script>$run</script></template>",
    "<noscript><p title='</noscript><img src=x onerror=$run>'>",
    "<dialog open oncancel=$run onclose=$run>x</dialog>",
    "<div popover id=p onbeforetoggle=$run>x</div>",
    "<applet code=x onerror=$run></applet>",
    "<custom-element onfocus=$run tabindex=0 autofocus>x</custom-element>",
)
HTMX = (
    '<div hx-get="$ask" hx-trigger="load">x</div>',
    '<div hx-post="$ask" hx-trigger="load">x</div>',
    '<div hx-put="$ask" hx-trigger="load">x</div>',
    '<div hx-delete="$ask" hx-trigger="load">x</div>',
    '<div data-hx-get="$ask" data-hx-trigger="load">x</div>',
    '<div hx-get="$ask" hx-trigger="revealed">x</div>',
    '<div hx-get="$ask" hx-trigger="intersect once">x</div>',
    '<div hx-get="$ask" hx-trigger="every 1s">x</div>',
    '<div hx-get="$ask" hx-trigger="load[1==1]">x</div>',
    '<div hx-on::load="$run">x</div>',
    '<div hx-on:htmx:load="$run">x</div>',
    '<div hx-vals="js:{x: $run}" hx-get="$ask" hx-trigger="load">x</div>',
    '<div hx-headers=\'js:{"X": $run}\' hx-get="$ask" hx-trigger="load">x</div>',
    '<div hx-boost="true"><a href="$ask" autofocus>x</a></div>',
    '<div hx-swap-oob="true" id="main"><img src=x onerror=$run></div>',
    '<hx-partial hx-target="#main"><img src=x onerror=$run></hx-partial>',
    '<div hx-target="body" hx-get="$ask" hx-trigger="load delay:1ms">x</div>',
    '<meta name="htmx-config" content=\'{"allowEval": true}\'>',
    '<div sse-connect="$ask">x</div>',
    '<div ws-connect="$ask">x</div>',
)
OUT_OF = (
    '"',
    "'",
    '">',
    "'>",
    "`>",
    "-->",
    "]]>",
    "</title>",
    "</textarea>",
    "</script>",
    "</style>",
    "</option></select>",
    "</noscript>",
    "</template>",
    "</dialog>",
    "*/",
    '\\">',
    "&quot;>",
    "&#34;>",
    "%22%3E",
)
"""Ends of what the text may stand in; what follows would then be a page of its own."""
AFTER = ("<img src=x onerror=$run>", "<script>$run</script>", " autofocus tabindex=1 onfocus=$run x=")
SCRIPTS = (
    "javascript:$run",
    "JaVaScRiPt:$run",
    "java\tscript:$run",
    "\x01javascript:$run",
    "data:text/html,<script>$run</script>",
    "vbscript:$run",
    '";$run;//',
    "';$run;//",
    "`;$run;//",
    "${$run}",
    "\\u003cscript\\u003e$run\\u003c/script\\u003e",
    "\\x3cscript\\x3e$run\\x3c/script\\x3e",
    "</script><script>$run</script>",
    '{"a": "</script><script>$run</script>"}',
    "//# sourceMappingURL=$ask",
)
TEMPLATES = (
    "{{ 7|add:35 }}$n",
    "{% load static %}{% static 'x' %}$n",
    "{% include 'base.html' %}$n",
    "{{ request.user.password }}$n",
    "{% debug %}$n",
    "{# hidden #}$n",
    "%(n)s %s %d {0} {n} $n",
    "#{7*6} <%= 7*6 %> $n",
    "{{constructor.constructor('$run')()}}",
    "*{7*6} @{7*6} $n",
)
ENCODED = (
    "&lt;script&gt;$run&lt;/script&gt;",
    "&#60;script&#62;$run&#60;/script&#62;",
    "%3Cscript%3E$run%3C/script%3E",
    "+ADw-script+AD4-$run+ADw-/script+AD4-",
    "\uff1cscript\uff1e$run\uff1c/script\uff1e",
    "\u2039script\u203a$run",
    "<\u017fcript>$run</\u017fcript>",
    "\u202e<script>$run</script>",
    "\u2066<img src=x onerror=$run>\u2069",
    "\ufeff<script>$run</script>",
    "<\u200bscript>$run</script>",
    "\u0130<img src=x onerror=$run>",
    "\u0301" * 200 + "<img src=x onerror=$run>",
    "\u0645\u0631\u062d\u0628\u0627 <img src=x onerror=$run>",
    "\U0001f600<script>$run</script>\U0001f600",
    "<!--><img src=x onerror=$run>-->",
    "<![CDATA[<script>$run</script>]]>",
    "<?xml version='1.0'?><script>$run</script>",
    "<!DOCTYPE x [<!ENTITY y SYSTEM '$ask'>]>&y;",
    "<!--[if IE]><script>$run</script><![endif]-->",
    "<\x0bimg src=x onerror=$run>",
    "<img\x0csrc=x\x0conerror=$run>",
    "\r\nSet-Cookie: struck=$n\r\n\r\n<script>$run</script>",
    "\r\nLocation: $ask",
    '=HYPERLINK("$ask","x")',
    "=cmd|'/c $run'!A1",
    "+struck($n)",
    "-struck($n)",
    "@struck($n)",
    "\tstruck($n)",
    "a" * 500 + "<img src=x onerror=$run>",
)


def _all() -> list[str]:
    number = count()
    forms = [*TAGS, *HTMX, *(start + end for start in OUT_OF for end in AFTER), *SCRIPTS, *TEMPLATES, *ENCODED]
    return [_filled(form, next(number)) for form in forms]


def _filled(form: str, n: int) -> str:
    parts = {"n": str(n), "run": Template(RUN).substitute(n=n), "ask": Template(ASK).substitute(n=n)}
    return Template(form).safe_substitute(parts)


CORPUS = _all()
LONG = "<b>" * 33_000
"""A hundred kilobytes, for what takes that much."""
