"""Webhooks of the forge: hints that something happened there. Nothing in them is believed, or even read."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from http import HTTPStatus

from fastapi import APIRouter, Request

from api.http.context import ApiContext, ContextDep
from api.http.problems import Refusal, not_found
from intents.kinds.platform import ForgeProvider
from reconciler.ports.errors import Stalled

log = logging.getLogger(__name__)

MOST_BYTES = 5 * 2**20
"""GitHub sends up to 25 MB; what is larger than this is found by polling."""
SECONDS = 10.0
"""For the whole body."""
SIGNATURES = {
    ForgeProvider.GITHUB: ("x-hub-signature-256",),
    ForgeProvider.GITEA: ("x-gitea-signature", "x-hub-signature-256"),
}
"""The headers that hold the HMAC-SHA256 of the body, in hexadecimal digits; GitHub's begins with `sha256=`."""

router = APIRouter(prefix="/webhooks", tags=["operations"])


@router.post("/{provider}", status_code=HTTPStatus.ACCEPTED)
async def receive(context: ContextDep, request: Request, provider: ForgeProvider) -> dict[str, str]:
    """Take a webhook of the forge that platform.yaml names, signed with the secret of its credentials, and look there.

    The signature is all that is checked: an event only says that a look is worth while, so that one that is repeated,
    late or about something else does no harm.
    """
    secret = await _secret(context, provider)
    signed = await _signature_of(request, secret)
    told = next((request.headers[name] for name in SIGNATURES[provider] if name in request.headers), "")
    # As bytes: compare_digest refuses text beyond ASCII, which anybody may send.
    if not hmac.compare_digest(signed.encode(), told.removeprefix("sha256=").encode()):
        raise Refusal(HTTPStatus.UNAUTHORIZED, "bad-signature", "the webhook is not signed with the secret known here")
    await context.hint_forge()
    return {"status": "looking"}


async def _secret(context: ApiContext, provider: ForgeProvider) -> str:
    forge = (await context.head.advance()).platform.repository.forge
    if forge is None or forge.provider is not provider:
        raise not_found(f"a webhook of {provider}")
    try:
        known = await asyncio.to_thread(context.webhook_secret, forge.url)
    except Stalled as stalled:
        log.error("webhooks cannot be checked: %s", stalled)  # noqa: TRY400 - the message says it all
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "webhooks cannot be checked now") from None
    if not known:
        raise not_found(f"a webhook of {provider}")
    return known


async def _signature_of(request: Request, secret: str) -> str:
    digest, size = hmac.new(secret.encode(), digestmod=hashlib.sha256), 0
    try:
        async with asyncio.timeout(SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size > MOST_BYTES:
                    detail = f"the body has more than {MOST_BYTES} bytes"
                    raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", detail)
                digest.update(chunk)
    except TimeoutError:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "too-slow", f"the body took more than {SECONDS:.0f} s") from None
    return digest.hexdigest()
