"""Incidents to any HTTP endpoint: CloudEvents 1.0 as structured JSON, signed as Standard Webhooks.

`webhook-id` is the event's id, the same for every attempt; `webhook-timestamp` is new each time. Several secrets give
several signatures, so that a receiver can be moved from one to the next. `x-hub-signature-256` carries the first secret's
HMAC of the body alone, which is what Event-Driven Ansible and many others check; its key is the secret as it is written.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit, urlunsplit

import httpcore2
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from connectors.sinks.cloudevents import CONTENT_TYPE, event_id, structured
from connectors.sinks.egress import GuardedBackend, Resolve, resolve
from engine.config.tree import WebhookSink as Settings
from engine.errors import Complaint, ConfigError, Permanent, Retry
from engine.records import Incident

REMEMBERED_MAX = 10_000
_GONE = 410
_PASSING = frozenset({401, 403, 408, 425, 429})
"""401 and 403 pass too: credentials are rotated, and nothing should be lost while they are."""

Now = Callable[[], float]


class WebhookSink:
    """One endpoint. A new connection for each delivery: they are rare, and one connection then has one deadline."""

    def __init__(self, settings: Settings, *, now: Now = time.time, resolver: Resolve = resolve) -> None:
        self.name = settings.name
        self._settings = settings
        self._url = _checked_url(settings)
        self._secrets = (settings.secret.get_secret_value() if settings.secret else "").split()
        self._signers = [_signer(settings, secret) for secret in self._secrets]
        self._now = now
        backend = GuardedBackend(settings.timeout, allow_private=settings.allow_private, resolver=resolver)
        self._pool = httpcore2.ConnectionPool(max_keepalive_connections=0, network_backend=backend)
        self._posted: OrderedDict[str, None] = OrderedDict()

    def deliver(self, incident: Incident, attempt: int) -> None:  # noqa: ARG002 - the key is the same for every attempt
        """POST it. Below `severity_min` it is taken in silence, unless the endpoint was told of this incident before.

        Raises Retry for network faults, timeouts, 5xx, 408, 425, 429, 401 and 403; Permanent for redirects, which are never followed,
        for every other answer, and for an address inside; 410 asks for the endpoint to be disabled.
        """
        if incident.severity < self._settings.severity_min and incident.id not in self._posted:
            return
        body = structured(incident)
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), self._settings.timeout)
        try:
            with self._pool.stream(
                "POST", self._url, headers=self._headers(incident, body), content=body, extensions={"timeout": timeout}
            ) as response:
                status = response.status
                headers = {name.lower(): text for name, text in response.headers}
        except (httpcore2.LocalProtocolError, httpcore2.UnsupportedProtocol) as error:
            raise Permanent(f"the request cannot be sent: {error}") from error
        except (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Retry(f"{type(error).__name__}: {error}") from error
        self._judge(status, headers.get(b"retry-after", b"").decode("latin-1"))
        self._remember(incident.id)

    def close(self) -> None:
        """Close what is open."""
        self._pool.close()

    # ------------------------------------------------------------------------------------------------ inside
    def _headers(self, incident: Incident, body: bytes) -> list[tuple[bytes, bytes]]:
        moment = datetime.fromtimestamp(self._now(), tz=UTC)
        key = event_id(incident)
        headers = {
            "content-type": CONTENT_TYPE,
            "user-agent": "foreshock",
            "connection": "close",
            "webhook-id": key,
            "webhook-timestamp": str(int(moment.timestamp())),
        }
        if self._signers:
            text = body.decode()
            headers["webhook-signature"] = " ".join(signer.sign(key, moment, text) for signer in self._signers)
            headers["x-hub-signature-256"] = "sha256=" + hmac.new(self._secrets[0].encode(), body, hashlib.sha256).hexdigest()
        return [(name.encode(), value.encode()) for name, value in headers.items()]

    def _judge(self, status: int, retry_after: str) -> None:
        if 200 <= status < 300:
            return
        if status >= 500 or status in _PASSING:
            raise Retry(f"HTTP {status}", self._seconds(retry_after))
        if 300 <= status < 400:
            raise Permanent(f"HTTP {status}: redirects are not followed, configure the final address")
        raise Permanent(f"HTTP {status}", disable=status == _GONE)

    def _seconds(self, retry_after: str) -> float | None:
        """`Retry-After` as seconds from now: a number or an HTTP date. None when there is none that can be read."""
        text = retry_after.strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - self._now())

    def _remember(self, incident_id: str) -> None:
        self._posted[incident_id] = None
        self._posted.move_to_end(incident_id)
        if len(self._posted) > REMEMBERED_MAX:
            self._posted.popitem(last=False)


def _checked_url(settings: Settings) -> str:
    """The address as it will be used. Raises ConfigError."""
    allowed = ("https", "http") if settings.allow_private else ("https",)
    plain = settings.url.isascii() and not any(c <= " " or c == "\x7f" for c in settings.url)
    try:
        parts = urlsplit(settings.url)
        plain = plain and parts.port != 0 and parts.username is None and bool(parts.hostname)
    except ValueError as error:  # a port that is no port, a bracket that does not close
        raise _complaint(settings, "url", f"cannot be read: {error}") from error
    if parts.scheme not in allowed:
        raise _complaint(settings, "url", f"must begin with {' or '.join(f'{name}://' for name in allowed)}")
    if not plain:
        raise _complaint(settings, "url", "is not a plain absolute address (no user name, no spaces, ASCII only)")
    return urlunsplit(parts._replace(fragment=""))


def _signer(settings: Settings, secret: str) -> Webhook:
    try:
        return Webhook(secret)
    except (binascii.Error, ValueError, EmptyWebhookSecretError) as error:
        raise _complaint(settings, "secret", "is not a Standard Webhooks secret (whsec_ and base64)") from error


def _complaint(settings: Settings, key: str, message: str) -> ConfigError:
    return ConfigError((Complaint(f"deliver.sinks.{settings.name}.{key}", message),))
