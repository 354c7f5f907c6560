"""Bedrock's exceptions, as HTTP errors and as event-stream frames (Bedrock InvokeModel, "Errors")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ccproxy_tray.errors import Failure, Fault
from ccproxy_tray.translate import wording
from ccproxy_tray.translate.error_body import (
    STATUS_OF_FAULT,
    client_type,
    fault_of_status,
    header,
    parsed,
    retry_after,
    said,
)

_DAILY = 3600.0
"""Seconds to wait for a quota that is counted by the day; nothing shorter helps."""

_FAULTS = {
    "throttling": Fault.THROTTLED,
    "toomanyrequests": Fault.THROTTLED,
    "servicequotaexceeded": Fault.THROTTLED,
    "modelnotready": Fault.OVERLOADED,
    "serviceunavailable": Fault.OVERLOADED,
    "internalserver": Fault.BROKEN,
    "internalfailure": Fault.BROKEN,
    "modeltimeout": Fault.BROKEN,
    "accessdenied": Fault.CREDENTIALS,
    "resourcenotfound": Fault.NO_MODEL,
    "validation": Fault.REFUSED,
    "conflict": Fault.REFUSED,
    # The authentication layer in front of every AWS service.
    "unrecognizedclient": Fault.CREDENTIALS,
    "invalidclienttokenid": Fault.CREDENTIALS,
    "expiredtoken": Fault.CREDENTIALS,
    "requestexpired": Fault.CREDENTIALS,
    "incompletesignature": Fault.CREDENTIALS,
    "invalidsignature": Fault.CREDENTIALS,
    "signaturedoesnotmatch": Fault.CREDENTIALS,
    "missingauthenticationtoken": Fault.CREDENTIALS,
}
"""By exception, without its suffix, in lower case. ModelError and ModelStreamError are absent on purpose: they hand
on an error of the model, whose own status decides."""
_STATUSES = {"modeltimeout": 504, "conflict": 409}
"""Where the status that goes to the client is not the usual one of the fault."""

_TOO_LARGE = 413

_IDENTITY = re.compile(r"arn:aws[\w-]*:(?:iam|sts):[^\s,\"']*")
_RESOURCE = re.compile(r"arn:aws[\w-]*:[\w-]*:[\w-]*:\d*:([^\s,\"']*)")
_KEY = re.compile(r"api key|bearer token|security token|expired", re.IGNORECASE)
"""An AccessDenied that is about the key; every other one is about what the key may do, one model for instance."""
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")


def from_bedrock_http(status: int, headers: Mapping[str, str], body: bytes) -> Failure:
    """An HTTP error of Bedrock's runtime, or of the authentication layer before it.

    The exception's name is in ``x-amzn-ErrorType``, or in the body where botocore looks for it; the message is
    ``message`` or, from the authentication layer, ``Message``. Load balancers answer with pages or nothing: then the
    status alone decides.
    """
    answer = parsed(body)
    error: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    name = header(headers, "x-amzn-errortype") or _text(error, "__type", "code", "Code")
    message = _text(error, "originalMessage", "message", "Message")
    original = error.get("originalStatusCode")
    if name or message:
        failure = from_bedrock(name, message or said(status, body), original if isinstance(original, int) else status)
    else:
        fault = fault_of_status(status, body)
        failure = Failure(fault, said(status, body), status, client_type(fault, status))
    wait = retry_after(headers)
    return failure if wait is None else replace(failure, retry_after=wait)


def from_bedrock(exception_type: str, message: str, status: int = 0) -> Failure:
    """A Bedrock exception by name: ``ThrottlingException``, or ``throttlingException`` as in a frame.

    ``status`` is the model's own (``originalStatusCode``) where the exception has one, else the HTTP status,
    else 0. The Failure's status is the one that goes with the exception's meaning.
    """
    key = exception_type.partition(":")[0].rpartition("#")[2].lower().removesuffix("exception")
    fault, subject = _FAULTS.get(key) or fault_of_status(status), ""
    if fault is Fault.REFUSED:
        reading = wording.read(message)
        fault, subject = reading.fault, reading.subject
    elif fault is Fault.CREDENTIALS and key == "accessdenied" and not _KEY.search(message):
        subject = wording.ACCESS
    status = _status(key, fault, status)
    wait = _DAILY if fault is Fault.THROTTLED and "per day" in message.lower() else None
    return Failure(fault, masked(message), status, client_type(fault, status), wait, subject=subject)


def _status(key: str, fault: Fault, status: int) -> int:
    """The status that goes with the meaning; the upstream's own only for an exception that this table does not know.

    And for a request that is too large, whatever the exception: Claude Code gives up on a 413, while it tries five
    variations of what gets a 400.
    """
    if fault is Fault.REFUSED and status == _TOO_LARGE:
        return status
    if key not in _FAULTS and 400 <= status < 600 and fault_of_status(status) is fault:
        return status
    return _STATUSES.get(key) or STATUS_OF_FAULT.get(fault, 500)


def masked(message: str) -> str:
    """The message without account numbers, and without the ARNs of people and roles."""
    message = _IDENTITY.sub("<identity>", message)
    message = _RESOURCE.sub(r"\1", message)
    return _ACCOUNT.sub("<account>", message)


def _text(error: Mapping[str, Any], *keys: str) -> str:
    return next((value for key in keys if isinstance(value := error.get(key), str) and value), "")
