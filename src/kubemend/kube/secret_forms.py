"""What secrets look like: by the name before them, and by a form of their own. Sources: the issuers' own pages.

Every pattern is bounded, so that a log made to be slow to read is not.
"""

from __future__ import annotations

import re

HIDDEN = "<redacted>"

_WORD = (
    r"pass(?:word|wd|phrase|code|key)?|pwd|secret|token|api[-_]?key|access[-_]?key(?:[-_]?id)?|secret[-_]?key"
    r"|private[-_]?key|client[-_]?secret|client[-_]?key|credentials?|auth(?:orization)?|bearer|cookie|session[-_]?id"
    r"|dsn|connection[-_]?string|conn[-_]?str|webhook[-_]?url|license[-_]?key|salt|mnemonic|otp|requirepass|masterauth"
    r"|(?:signing|encryption|app|master|jwt|ssh|hmac|aes|rsa|account|shared|storage|admin|root|deploy|tls)[-_]?key"
)
NAME = re.compile(
    rf"(?i)(?:^|[-_./])(?:[a-z0-9]{{0,40}}[-_./]){{0,8}}(?:{_WORD})s?(?:[-_.]?(?:data|value|b64|base64|file))?$"
)
"""Names under which values are secrets: of environment variables, of fields, of keys in a file."""
SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""Where camel case begins a new word."""
FLAG = re.compile(rf"(?i)^--?(?:[a-z0-9]{{1,30}}[-_.]){{0,6}}(?:{_WORD})$")
"""A command-line flag whose next argument is a secret."""

NAMES_OF_SECRETS = frozenset(
    {
        "secretName", "secretRef", "secretKeyRef", "tokenExpirationSeconds", "automountServiceAccountToken",
        "authority", "passwordSecretRef", "secretNamespace", "imagePullSecrets", "nextToken", "continue",
        "sessionAffinity", "serviceAccountToken", "tokenRequests",
    }
)  # fmt: skip
"""Fields of the Kubernetes API whose names sound like it; they hold where a secret is, not the secret."""
NO_SECRET = NAMES_OF_SECRETS | {"secrets"}
"""Lists of which nothing is hidden: `secrets` of a ServiceAccount are names."""
WORDS = (
    "pass", "pwd", "secret", "token", "key", "cred", "auth", "bearer", "cookie", "session", "dsn", "conn", "webhook",
    "salt", "mnemonic", "otp", "requirepass", "masterauth",
)  # fmt: skip
"""One of these is in every name of a secret: texts without any are spared the slower patterns."""

DULL = frozenset(
    {
        "absent", "bad", "bearer", "denied", "disabled", "empty", "enabled", "error", "expired", "failed", "false",
        "forbidden", "found", "for", "from", "have", "if", "in", "incorrect", "invalid", "is", "kubernetes",
        "malformed", "missing", "mismatch", "must", "needed", "no", "none", "not", "null", "of", "ok", "optional",
        "or", "present", "rejected", "required", "revoked", "set", "that", "the", "to", "too", "true", "unauthorized",
        "undefined", "unknown", "unset", "valid", "was", "with", "wrong", "yes",
    }
)  # fmt: skip
"""Words that logs have behind such a name, and that are nobody's password."""

_QUOTED = r"""(?P<q>\\*["'])(?P<quoted>(?:\\.|(?!(?P=q)).){0,4096})(?P=q)"""
_BARE = r"""(?P<scheme>(?:bearer|basic|token)\s+)?(?P<bare>(?![\[{|>&*"'\\<])[^\s"',;&}\])\\]{1,4096})"""
ASSIGNED = re.compile(
    rf"""(?ix)
    (?P<name>(?<![\w.-])[\w.-]{{0,60}}?(?:{_WORD})s?(?:[-_]?(?:data|value|b64|base64))?\\*["']?)
    (?P<sep>[ \t]*(?:=>|=|:(?!//)|%3D|[ \t]is[ \t])[ \t]*)
    (?:{_QUOTED}|{_BARE})
    """
)
"""`name=value`, `name: value`, `"name": "value"`, also with escaped quotes."""
LINE = re.compile(
    rf"""(?imx)^(?P<front>[ \t]*(?:-[ \t]+|export[ \t]+|set[ \t]+|[+-])?[\w.-]{{0,60}}?(?:{_WORD})[ \t]*[:=][ \t]*)
    (?P<value>(?![\s\[{{|>&*"'#<])[^\r\n]*[ \t][^\r\n]+)$"""
)
"""A line that is nothing but a name and a value of several words."""
BLOCK = re.compile(
    rf"""(?imx)^(?P<indent>[ \t]*)(?P<front>(?:-[ \t]+)?["']?[\w.-]{{0,60}}?(?:{_WORD})["']?:[ \t]*[|>][-+0-9]*[ \t]*\n)
    (?P<body>(?:(?P=indent)[ \t]+[^\n]*(?:\n|$)|[ \t]*\n)+)"""
)
"""A YAML block below such a name."""
PAIR = re.compile(
    rf"""(?ix)(?P<front>["']?(?:name|key)["']?[ ]?:[ ]?["']?[\w.-]{{0,60}}?(?:{_WORD})["']?[ ]?,?\s{{1,60}}
    ["']?value["']?:[ ]?)
    (?:{_QUOTED}|{_BARE})"""
)
"""An environment variable as YAML or JSON text: `name: X_TOKEN`, then `value: …`."""
ARGUMENT = re.compile(
    rf"""(?ix)(?P<front>(?<![\w-])--?(?:[a-z0-9]{{1,30}}[-_.]){{0,6}}(?:{_WORD})["']?,?\s{{1,40}}(?:-[ ])?)
    (?:{_QUOTED}|(?P<bare>(?![-"'\\<])[^\s"',;&|\\]{{1,4096}}))"""
)
"""`--password hunter2`, also as the next item of a list."""

_FORMS = (
    # PEM blocks, also cut off, also on one line with \n written out, also in base64 (public certificates stay)
    (
        "private key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?:Proc-Type|DEK-Info|Version|Comment):[^\n\\]*"
        r"|\\[nr]|[A-Za-z0-9+/=\s])*(?:-----END [A-Z0-9 ]{0,40}-----)?",
    ),
    ("ls0tls1crudjti", r"LS0tLS1CRUdJTi(?!BDRVJUSUZJQ0FUR)[A-Za-z0-9+/]{20,}={0,2}"),
    ("putty-user-key", r"PuTTY-User-Key-File-\d[^\0]*?Private-MAC: \w+"),
    ("age-secret-key", r"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    # JSON Web Tokens, and the same in base64
    ("eyj", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    ("zxlk", r"\bZXlK[A-Za-z0-9+/]{40,}={0,2}"),
    ("bearer", r"(?i)\bbearer\s+(?!(?:auth|token|cred|realm|error|scheme)[a-z_]*\b)[A-Za-z0-9._~+/=-]{8,}"),
    ("basic", r"(?i:\bbasic\s+)(?!(?i:auth|realm|cred))(?=[a-z0-9+/]*[A-Z0-9=])[A-Za-z0-9+/]{8,}={0,2}"),
    ("x-amz-sec", r"(?i)\bx-amz-security-token[\"']?\s?[:=]\s?[\"']?[^\s\"'&]+"),
    ("a", r"\b(?:A3T[A-Z0-9]|AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b"),  # AWS
    ("gh", r"\bgh[pousr]_[A-Za-z0-9]{20,}\b"),
    ("github_pat", r"\bgithub_pat_[A-Za-z0-9_]{20,}\b"),
    ("gl", r"\bgl(?:pat|dt|rt|ptt|cbt|ft|soat)-[A-Za-z0-9_-]{16,}"),
    ("xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{8,}"),
    ("xapp-", r"\bxapp-\d-[A-Za-z0-9-]{10,}"),
    ("hooks.slack", r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]+"),
    ("/webhooks/", r"https://(?:[a-z]+\.)?discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]+"),
    ("webhook.office", r"https://[a-z0-9-]+\.webhook\.office\.com/[^\s\"']+"),
    ("/bot/v2/hook", r"https://open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/v2/hook/[A-Za-z0-9-]+"),
    (":aa", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),  # Telegram
    ("aiza", r"\bAIza[A-Za-z0-9_-]{30,}"),
    ("ya29.", r"\bya29\.[A-Za-z0-9_-]{20,}"),
    ("gocspx-", r"\bGOCSPX-[A-Za-z0-9_-]{20,}"),
    ("1//0", r"\b1//0[A-Za-z0-9_-]{30,}"),
    # OpenAI, Anthropic, OpenRouter; Stripe
    ("sk-", r"\bsk-(?:proj|ant|or|svcacct|admin)-[A-Za-z0-9_-]{10,}"),
    ("sk-", r"\bsk-(?=[A-Za-z0-9_-]{0,64}[A-Z])(?=[A-Za-z0-9_-]{0,64}[0-9])[A-Za-z0-9_-]{20,}"),
    ("k_", r"\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}"),
    ("whsec_", r"\bwhsec_[A-Za-z0-9+/=]{20,}"),
    ("hv", r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}"),
    ("npm_", r"\bnpm_[A-Za-z0-9]{30,}"),
    ("pypi-", r"\bpypi-AgE[A-Za-z0-9_-]{30,}"),
    ("rubygems_", r"\brubygems_[a-f0-9]{40,}"),
    ("_v1_", r"\bdo[por]_v1_[a-f0-9]{40,}"),
    ("dapi", r"\bdapi[a-f0-9]{32}\b"),
    ("gl", r"\bglsa_[A-Za-z0-9_]{20,}|\bglc_[A-Za-z0-9+/=]{20,}"),
    ("sg.", r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("dckr_", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{16,}"),
    ("hf_", r"\bhf_[A-Za-z0-9]{20,}"),
    ("shp", r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}\b"),
    ("tskey-", r"\btskey-[a-z]+-[A-Za-z0-9-]{10,}"),
    ("sntrys_", r"\bsntrys_[A-Za-z0-9+/=_-]{20,}"),
    ("at", r"\bATATT3[A-Za-z0-9_=-]{20,}|\bATBB[A-Za-z0-9]{20,}"),
    ("nrak-", r"\bNRAK-[A-Z0-9]{20,}"),
    ("", r"\b(?:gsk|r8|nvapi|pplx)[-_](?=[A-Za-z0-9_-]{0,64}[A-Z])[A-Za-z0-9_-]{32,}"),
    (".atlasv1.", r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{20,}"),
    ("pul-", r"\bpul-[a-f0-9]{40}\b"),
    ("dp.pt.", r"\bdp\.pt\.[A-Za-z0-9]{40,}"),
    ("q~", r"\b[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),  # Entra ID
    # kubeadm's bootstrap tokens; the names of events end in hex
    (".", r"\b[a-z0-9]{6}\.(?![a-f0-9]{16}\b)(?=[a-z]{0,15}[0-9])[a-z0-9]{16}\b"),
    ("key=", r"(?i)\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{16,}"),
    ("=", r"(?i)(?<=[?&])(?:sig|signature|x-amz-signature|access_token|token|key|apikey|code)=[^&\s\"']+"),
    # Hashes of passwords: of Unix, bcrypt, argon2, LDAP
    ("$", r"(?<![\w/+.$])\$(?:2[abxy]|apr1|1|5|6|y|argon2id?)\$[A-Za-z0-9./$=,+-]{16,}"),
    ("{ssh", r"\{SSHA?\}[A-Za-z0-9+/=]{20,}"),
    ("{sha", r"\{SHA\}[A-Za-z0-9+/=]{20,}"),
    # Helm's releases, which hold their values
    ("h4sia", r"(?<![A-Za-z0-9+/])H4sIA[A-Za-z0-9+/]{60,}={0,2}"),
    ("sdrzsu", r"(?<![A-Za-z0-9+/])SDRzSU[A-Za-z0-9+/]{60,}={0,2}"),
)
FORMS = tuple((needle, re.compile(form)) for needle, form in _FORMS)
"""(what the text has in lower case, at least; the form)."""
_REPLACED = (
    ("cookie", r"(?i)\b((?:set-)?cookie)([\"']?[ \t]*[:=][ \t]*[\"']?)[^\r\n\"']+", rf"\1\2{HIDDEN}"),
    (
        "authorization",
        r"(?i)(authorization\s?[:=]\s?)(?:digest|aws4-hmac-sha256|negotiate|ntlm|hawk|signature)\s[^\r\n]+",
        rf"\1{HIDDEN}",
    ),
    # A registry's port and digest (host:5000/app@sha256:…) are no password.
    (
        "://",
        r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s/:@\"']{0,256}:)(?!\d{1,5}/)(?:(?!://)[^\s\"'<>]){1,512}@",
        rf"\1{HIDDEN}@",
    ),
    ("://", r"(://)[0-9a-f]{32}(@)", rf"\1{HIDDEN}\2"),  # Sentry
    ("stringdata", r"(stringData\\*[\"']?\s?:\s?)\{[^{}]*\}", rf"\1{{{HIDDEN}}}"),
    ("secret", r"(?i)(\bsecrets?\b[^\n]{0,200}\bdata\\*[\"']?\s?:\s?)\{[^{}]*\}", rf"\1{{{HIDDEN}}}"),
    ("--from-literal", r"(--from-literal[= ][\"']?[^\s=]{1,253}=)[^\s\"']+", rf"\1{HIDDEN}"),
    ("jdbc:oracle", r"(?i)(jdbc:oracle:[a-z]+:[\w.-]{1,60}/)[^\s@\"']+(@)", rf"\1{HIDDEN}\2"),
    ("@", r"(?<![\w/])([\w.-]{1,60}:)[^\s:@/\"']{1,256}(@(?:tcp|udp|unix)\()", rf"\1{HIDDEN}\2"),
    ("login", r"(?i)\b(login\s{1,20}\S{1,256}\s{1,20}password\s{1,20})\S+", rf"\1{HIDDEN}"),
    ("identified by", r"(?i)\b(identified by\s{1,20})(['\"])(?:(?!\2).){1,512}\2", rf"\1\2{HIDDEN}\2"),
    ("password", r"(?i)\b(password\s{1,20})(['\"])(?:(?!\2).){1,512}\2", rf"\1\2{HIDDEN}\2"),
    ("requirepass", r"(?im)^(requirepass\s{1,20})\S+", rf"\1{HIDDEN}"),
    ("masterauth", r"(?im)^(masterauth\s{1,20})\S+", rf"\1{HIDDEN}"),
    ("env", r"(?im)^(env\s{1,20}\w{0,40}(?:password|token|secret|_key)\s{1,20})\S+", rf"\1{HIDDEN}"),
    (":", r"(?m)^([^:\s]{1,253}:(?:\d{1,5}|\*):[^:\s]{1,64}:[^:\s]{1,64}:)(?!\d*$)[^\s:]+$", rf"\1{HIDDEN}"),  # .pgpass
    ("mysql", r"(\bmysql\w{0,12}\b[^|;&\n]{0,200}?\s-p)(?=\S)[^\s\"']+", rf"\1{HIDDEN}"),
    ("curl", r"(\bcurl\b[^|;&\n]{0,200}?\s(?:-u|--user)[ =]?[\"']?[^\s:\"']{1,100}:)[^\s\"']+", rf"\1{HIDDEN}"),
    ("</", r"(?i)(<(\w{0,40}(?:password|passwd|secret|token|apikey))>)[^<\r\n]+(</\2>)", rf"\1{HIDDEN}\3"),
)
REPLACED = tuple((needle, re.compile(form), left) for needle, form, left in _REPLACED)
"""Places where only a part is secret: (what the text has, the form, what is left of it)."""
