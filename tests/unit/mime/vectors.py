"""Tricks by which HTML in a message tries to run something: `boom()` is the alarm."""

from __future__ import annotations

from itertools import product

_ELEMENTS = (
    "img src=x",
    "svg",
    "body",
    "video src=x",
    "audio src=x",
    "details open",
    "marquee",
    "input autofocus",
    "a href=#",
    "div",
    "table background=x",
    "math",
    "object data=x",
    "iframe src=x",
    "select autofocus",
    "button",
)
_EVENTS = ("onload", "onerror", "onfocus", "onmouseover", "ontoggle", "onstart")
_SPELLINGS = (
    '{}="boom()"',
    "{}=boom()",
    "{}='boom()'",
    "/{}=boom()//",
    "\n{}\n=\nboom()",
)
_SCHEMES = (
    "javascript:boom()",
    "JaVaScRiPt:boom()",
    " javascript:boom()",
    "java\tscript:boom()",
    "java\nscript:boom()",
    "&#106;avascript:boom()",
    "&#x6A;avascript:boom()",
    "javascript&colon;boom()",
    "\x01javascript:boom()",
    "vbscript:boom()",
    "data:text/html,<script>boom()</script>",
    "data:text/html;base64,PHNjcmlwdD4=",
    "feed:javascript:boom()",
    "javascript://%0aboom()",
    "java&#x09;script:boom()",
)
_CARRIERS = (
    '<a href="{}">x</a>',
    '<img src="{}">',
    '<iframe src="{}"></iframe>',
    '<form action="{}"><button>x</button></form>',
    '<object data="{}"></object>',
    '<embed src="{}">',
    '<base href="{}//">',
    '<svg><a xlink:href="{}"><text>x</text></a></svg>',
    '<math><mi xlink:href="{}">x</mi></math>',
    '<link rel="stylesheet" href="{}">',
    '<meta http-equiv="refresh" content="0;url={}">',
    '<body background="{}">',
    '<button formaction="{}">x</button>',
    '<video poster="{}"></video>',
)
_WHOLE = (
    "<script>boom()</script>",
    "<SCRIPT SRC=//x.example/a.js></SCRIPT>",
    "<script/x>boom()</script>",
    "<scr<script>ipt>boom()</scr</script>ipt>",
    "<<script>boom();//<</script>",
    "<script>boom()",
    "<!--<script>boom()</script>-->",
    "<!--><script>boom()</script>",
    "<!-- --!><script>boom()</script>",
    "<![CDATA[<script>boom()</script>]]>",
    "<?xml version='1.0'?><script>boom()</script>",
    "<noscript><p title='</noscript><img src=x onerror=boom()>'></noscript>",
    "<style><img src='</style><img src=x onerror=boom()>'></style>",
    "<style>@import 'javascript:boom()';</style>",
    "<style>*{background:url(javascript:boom())}</style>",
    "<title><img src='</title><img src=x onerror=boom()>'></title>",
    "<textarea><img src='</textarea><img src=x onerror=boom()>'></textarea>",
    "<template><script>boom()</script></template>",
    "<svg><style><img src='</style><img src=x onerror=boom()>'></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=boom()></style></table>",
    "<form><math><mtext></form><form><mglyph><style></math><img onerror=boom()>",
    '<svg></p><style><a id="</style><img src=x onerror=boom()>">',
    '<div style="width: expression(boom())">x</div>',
    "<div style=\"background: url('javascript:boom()')\">x</div>",
    '<div style="background-image:\\75 rl(javascript:boom())">x</div>',
    '<div style="behavior: url(x.htc)">x</div>',
    '<div style="-moz-binding: url(x)">x</div>',
    '<div style="position:fixed;top:0;left:0;width:100%;height:100%">x</div>',
    '<xml id=x><a b="<img src=x onerror=boom()>"></xml>',
    "<isindex action=javascript:boom() type=image>",
    "<plaintext><script>boom()</script>",
    "<frameset onload=boom()>",
    "<keygen autofocus onfocus=boom()>",
    "<svg><script>boom()</script></svg>",
    "<svg><animate onbegin=boom() attributeName=x dur=1s>",
    "<svg><foreignObject><iframe srcdoc='<script>boom()</script>'></svg>",
    '<iframe srcdoc="&lt;script&gt;boom()&lt;/script&gt;"></iframe>',
    '<a href="x" style="display:block" onclick=boom()>x</a>',
    "<img src=`x` onerror=boom()>",
    '<img src="x`<script>boom()</script>"`>',
    "<a/onmouseover=boom()>x",
    "<x onclick=boom()>x</x>",
    "\x00<scr\x00ipt>boom()</scr\x00ipt>",
    "<img \x00src=x \x00onerror=boom()>",
)

VECTORS: tuple[str, ...] = (
    *_WHOLE,
    *(
        f"<{element} {_SPELLINGS[n % len(_SPELLINGS)].format(event)}>"
        for n, (element, event) in enumerate(product(_ELEMENTS, _EVENTS))
    ),
    *(
        carrier.format(_SCHEMES[(n + m) % len(_SCHEMES)])
        for n, carrier in enumerate(_CARRIERS)
        for m in range(6)
    ),
)
