"""Secrets of all kinds, made up, each with the part that must never be shown; and texts that only look like it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Canary:
    """text: how it stands in a log, a file or an environment. secret: what must not be left of it."""

    kind: str
    text: str
    secret: str


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WORD = "Kanarie7vogel"
LOWER = "kanarievogel"
LONG = "Kq7Zt2Wm9Xb4Lc8Vn3Rj6Hd5Gf1Ps0Ay"
HEX = "9f86d081884c7d659a2feaa0c55ad015"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIEow{LONG}\n{LONG}\n-----END RSA PRIVATE KEY-----"
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJrYW5hcmllIn0.{LONG}"
DOCKER = json.dumps({"auths": {"r.example": {"username": "u", "auth": _b64(f"u:{WORD}")}}})

CANARIES = (
    Canary("password, shell", f"DB_PASSWORD={WORD}", WORD),
    Canary("password, of lower case only", f"password={LOWER}", LOWER),
    Canary("password, YAML", f"password: {WORD}", WORD),
    Canary("password, JSON", f'{{"user": "x", "password": "{WORD}"}}', WORD),
    Canary("password, JSON in JSON", json.dumps({"body": json.dumps({"password": WORD})}), WORD),
    Canary("password, of several words", f"passphrase: korrekt pferd {LOWER} heftklammer", LOWER),
    Canary("password, YAML block", f"db_password: |\n  first line\n  {WORD}\nport: 1", WORD),
    Canary("password, properties", f"spring.datasource.password={WORD}", WORD),
    Canary("password, TOML", f'password = "{WORD} and more"', WORD),
    Canary("password, XML", f"<db><password>{WORD}</password></db>", WORD),
    Canary("password, flag", f"starting server --db-password {WORD} --port 80", WORD),
    Canary("password, flag with =", f"server --admin-password={WORD}", WORD),
    Canary("password, SQL", f"CREATE USER x IDENTIFIED BY '{WORD}'", WORD),
    Canary("password, mysql -p", f"mysql -h db -u root -p{WORD} shop", WORD),
    Canary("password, curl -u", f"curl -s -u admin:{WORD} https://x.example", WORD),
    Canary("password, netrc", f"machine x.example login u password {WORD}", WORD),
    Canary("password, pgpass", f"db.example:5432:shop:u:{WORD}", WORD),
    Canary("password, redis.conf", f"requirepass {WORD}", WORD),
    Canary("URL with password", f"postgres://u:{WORD}@db:5432/shop", WORD),
    Canary("URL with odd password", f"amqp://u:{WORD}/x@y@mq:5672/", WORD),
    Canary("URL without user", f"redis://:{WORD}@cache:6379/0", WORD),
    Canary("Go DSN", f"u:{WORD}@tcp(db:3306)/shop", WORD),
    Canary("JDBC, Oracle", f"jdbc:oracle:thin:scott/{WORD}@//db:1521/x", WORD),
    Canary("JDBC, SQL Server", f"jdbc:sqlserver://db;user=sa;password={WORD};encrypt=true", WORD),
    Canary("ADO", f"Server=db;User Id=sa;Pwd={WORD};", WORD),
    Canary("Mongo, two hosts", f"mongodb+srv://u:{WORD}@a.example,b.example/x", WORD),
    Canary("Sentry DSN", f"https://{HEX}@o1.ingest.example/42", HEX),
    Canary("private key", PEM, LONG),
    Canary("private key, one line", PEM.replace("\n", "\\n"), LONG),
    Canary("private key, cut off", PEM[:90], LONG[:20]),
    Canary("private key, base64", f"client-key-data: {_b64(PEM)}", _b64(PEM)[60:90]),
    Canary("private key, base64 alone", _b64(PEM), _b64(PEM)[60:90]),
    Canary("age key", f"AGE-SECRET-KEY-1{'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L' * 2}", "QPZRY9X8GF"),
    Canary("JSON Web Token", f"got {JWT} from it", LONG),
    Canary("ServiceAccount token in base64", _b64(JWT), _b64(JWT)[40:70]),
    Canary("bearer", f"Authorization: Bearer {LONG}", LONG),
    Canary("bearer, in a log", f'header="bearer {LOWER}-{LOWER}" status=401', LOWER),
    Canary("basic", f"Authorization: Basic {_b64('u:' + WORD)}", _b64("u:" + WORD)),
    Canary("digest", f'Authorization: Digest username="u", response="{HEX}"', HEX),
    Canary("AWS signature", f"Authorization: AWS4-HMAC-SHA256 Credential=x/y, Signature={HEX}{HEX}", HEX),
    Canary("cookie", f"Cookie: theme=dark; sid={WORD}; a=b", WORD),
    Canary("set-cookie", f"Set-Cookie: sid={WORD}; Path=/; HttpOnly", WORD),
    Canary("API key header", f"X-Api-Key: {LONG}", LONG),
    Canary("API key, query", f"GET /v1/x?a=1&api_key={LONG}&b=2", LONG),
    Canary("SAS signature", f"https://x.blob.example/c?sv=1&sig={LONG}%3D", LONG),
    Canary("AWS key id", "AKIA" + "IOSFODNN7KANARIE", "IOSFODNN7KANARIE"),
    Canary("AWS secret", f"aws_secret_access_key = {LONG}/abc+def", LONG),
    Canary("GitHub", "ghp_" + LONG, LONG),
    Canary("GitLab", "glpat-" + LONG[:20], LONG[:20]),
    Canary("Slack token", "xoxb-" + f"123456789012-{LONG}", LONG),
    Canary("Slack webhook", "https://hooks.slack.com/services/" + f"T000/B000/{LONG}", LONG),
    Canary("Discord webhook", f"https://discord.com/api/webhooks/123456/{LONG}", LONG),
    Canary("Feishu webhook", f"https://open.feishu.cn/open-apis/bot/v2/hook/{HEX}", HEX),
    Canary("Telegram", "123456789:AA" + (LONG + "x")[:33], LONG[:20]),
    Canary("Google API key", "AIza" + LONG + "abc", LONG),
    Canary("Google OAuth", "ya29." + LONG, LONG),
    Canary("Stripe", "sk_live_" + LONG, LONG),
    Canary("OpenAI", "sk-proj-" + LONG, LONG),
    Canary("Anthropic", "sk-ant-api03-" + LONG, LONG),
    Canary("SendGrid", "SG." + f"{LONG[:22]}.{LONG}", LONG),
    Canary("Vault", "hvs." + LONG, LONG),
    Canary("npm", "npm_" + LONG + "abcd", LONG),
    Canary("PyPI", "pypi-AgEIcHlwaS5vcmc" + LONG, LONG),
    Canary("Docker Hub", "dckr_pat_" + LONG, LONG),
    Canary("DigitalOcean", "dop_v1_" + HEX * 2, HEX),
    Canary("Databricks", "dapi" + HEX, HEX),
    Canary("Azure storage", f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={LONG}==", LONG),
    Canary("docker config", DOCKER, _b64(f"u:{WORD}")),
    Canary("docker config, a string", json.dumps(DOCKER), _b64(f"u:{WORD}")),
    Canary("bootstrap token", "abcdef.0123456789ghijkl", "0123456789ghijkl"),
    Canary("bcrypt", "admin:$2y$05$" + LONG + LONG[:21], LONG),
    Canary("crypt", "root:$6$saltsalt$" + LONG * 2 + ":19000:", LONG),
    Canary("kubeconfig token", f"users:\n- name: x\n  user:\n    token: {LONG}\n", LONG),
    Canary(
        "kubeconfig, auth provider", f"auth-provider:\n  config:\n    id-token: {LONG}\n    refresh-token: {LONG}", LONG
    ),
    Canary("environment, YAML", f"env:\n- name: STRIPE_SECRET\n  value: {WORD}\n", WORD),
    Canary("environment, JSON", json.dumps([{"name": "APP_TOKEN", "value": WORD}]), WORD),
    Canary("arguments, YAML", f"args:\n- --token\n- {WORD}\n", WORD),
    Canary("Helm release", "H4sIAAAAAAAA" + LONG * 4, LONG),
)

HARMLESS = (
    f"registry.lab/web@sha256:{HEX}{HEX}",
    f"docker-pullable://registry.lab:5000/web@sha256:{HEX}{HEX}",
    f"containerd://{HEX}{HEX}",
    "cd77a5a3-9dea-474b-8639-8bc79825c0b5",
    "pod-template-hash=6d5f7c9b8d",
    f"checksum/config: {HEX}{HEX}",
    "web-6d5f7c9b8d-x2x4z",
    "mysql1.17a5b6c7d8e9f012",
    "resourceVersion: '123456789'",
    "commit 4bf92f3577b34da6a3ce929d0e0e4736aabbccdd",
    "https://10.0.0.1:6443/api/v1/namespaces/shop/pods?limit=500&continue=abc",
    'MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found',
    "couldn't find key password in Secret shop/db",
    "password is incorrect",
    "token: expired",
    "Error: authentication failed: invalid token",
    "basic authentication is disabled",
    "Unable to attach or mount volumes: unmounted volumes=[kube-api-access-x2x4z]: timed out",
    "secretName: web-tls",
    "secretKeyRef:\n  name: db\n  key: password\n",
    "serviceAccountToken:\n  expirationSeconds: 3607\n  path: token\n",
    "automountServiceAccountToken: false",
    "imagePullSecrets:\n- name: registry\n",
    "apiGroup: authorization.k8s.io/v1\nkind: SubjectAccessReview\n",
    "pk-backend-deployment-6d5f7c9b8d-x2x4z",
    "Back-off restarting failed container web in pod web-6d5f7c9b8d-x2x4z_shop(cd77a5a3-9dea-474b-8639-8bc79825c0b5)",
    "2026-11-21T16:31:22.123456Z",
    "node.kubernetes.io/not-ready:NoExecute op=Exists for 300s",
    "10.96.0.1:443",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "-----BEGIN CERTIFICATE-----\nMIIB" + LONG + "\n-----END CERTIFICATE-----",
    "keystone: 1, monkey: 2, tokenizer: bert, author: x",
    "10.0.0.5:8080:web:ok:200",
)
