"""AWS credentials: botocore for what it knows best, never on the loop.

botocore is imported on first use, in a thread: it costs 0.2 s and 17 MB that a user without Bedrock, or with keys in
the environment, never pays. Its credential chain (environment, profile, SSO, assumed role, process, container,
instance) may wait for the network, or for a program of the user's that asks for a password, so every lookup and every
refresh runs in a thread too, and is waited for no longer than :data:`PATIENCE`.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ccproxy_tray.aside import apart, aside
from ccproxy_tray.errors import AttemptFailed, ErrorType, Failure, Fault
from ccproxy_tray.providers import aws_environ
from ccproxy_tray.providers.aws_clock import AwsClock
from ccproxy_tray.providers.aws_endpoint import endpoints, has_configuration
from ccproxy_tray.providers.sigv4 import Keys, Signer
from ccproxy_tray.redact import redact

log = logging.getLogger(__name__)

SERVICE = "bedrock"
"""The name in the signature's scope, for the runtime and the control plane alike."""
INLINE_HASH = 1024 * 1024
"""Bytes that are hashed on the loop: about a millisecond."""
LOOK_AGAIN_SECONDS = 15.0
"""How often missing credentials are looked for again, while requests want them."""
PATIENCE = 10.0
"""Seconds that requests wait for a look, all of them together, and each for a renewal: then others may serve them."""
MARGIN_SECONDS = 600
"""Credentials that are good for longer serve on while they are renewed: botocore begins five minutes before that."""
STILL = "AWS credentials are waited for: a program or server that the AWS configuration names does not answer"
NO_CREDENTIALS = (
    "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK, "
    "or name a profile in providers.{name}.profile"
)
CODE_WANTED = (
    "the AWS profile {profile!r} asks for a code (MFA), which nobody can type here: get temporary credentials "
    "(aws sts get-session-token) and name their profile in providers.{name}.profile"
)


class _CodeWanted(Exception):
    """A role can only be assumed with a one-time code."""


class _Unanswered(Exception):
    """A renewal has taken longer than anybody waits for it."""


class AwsAccount:
    """One profile's (or the environment's) access to Bedrock. A ``bearer`` key wins over the environment's.

    ``endpoint`` is the user's own for all regions. ``told`` is called, on the loop, whenever :attr:`problem` has
    changed.
    """

    def __init__(self, name: str, profile: str, bearer: str, environ: Mapping[str, str], *, endpoint: str = "") -> None:
        self._name = name
        self._profile = profile or None
        by_variable = "" if profile else aws_environ.profile_variable(environ)
        self._named_by = by_variable or f"providers.{name}.profile"
        self._named = environ[by_variable] if by_variable else profile or "default"
        self._environ_keys = aws_environ.keys(environ)
        self._asked_for = endpoints(environ, endpoint)
        self.endpoints = self._asked_for
        self._bearer, unfit = (bearer, "") if bearer else aws_environ.bearer(environ)
        self._unfit = self.endpoints.problem or unfit
        self._credentials: Any = None
        self._keys: Keys | None = None
        """What the credentials came to last."""
        self._signer = Signer(SERVICE)
        self._clock = AwsClock()
        self.looked = False
        """Whether :attr:`problem` and :attr:`endpoints` say all that there is to know."""
        self._looked_at = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[Any] | None = None
        self._problem = ""
        self.told: Callable[[], None] = lambda: None

    @property
    def problem(self) -> str:
        """Why there are no usable credentials, with the remedy; empty when there are, or nobody looked yet."""
        return self._problem

    async def look(self) -> None:
        """Find credentials, unless somebody did already; :attr:`problem` tells what came of it.

        Where there were none, the user may have logged in since: that is looked at again in the background, so that
        no request waits for a chain that may end at a metadata service which does not answer.
        """
        if self.looked and not self._problem:
            return
        now = asyncio.get_running_loop().time()
        if self._looking is None and (not self.looked or now > self._looked_at + LOOK_AGAIN_SECONDS):
            self._looked_at = now
            self._looking = asyncio.create_task(self._look())
        if self._looking is not None and not self.looked:
            await asyncio.wait((self._looking,), timeout=max(0.0, self._looked_at + PATIENCE - now))
            if not self.looked:
                self._settle(STILL)

    async def _look(self) -> None:
        try:
            found, problem = await apart(self._find, "aws")
        finally:
            self._looking = None
        self._credentials, self._keys = found, None
        self.looked, self._looked_at = True, asyncio.get_running_loop().time()
        self._settle(problem)

    def _settle(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self.told()

    async def refresh(self) -> bool:
        """Look again from the start; True when other credentials turned up than were refused. Never raises.

        Also True when it was the clock that was wrong, and signatures follow AWS's now.
        """
        if self._clock.was_just_corrected():
            return True
        before = await self._usable()
        self.looked, self._credentials, self._keys = False, None, None
        await self.look()
        after = await self._usable()
        return after is not None and after != before

    def refused(self, date: str) -> None:
        """Credentials were refused at this moment of AWS's clock (a Date header): one that differs is followed."""
        found = "" if self._bearer else self._clock.follow(date)
        if found:
            log.warning("%s: this machine's clock is %s; signatures follow that of AWS", self._name, found)

    async def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, region: str
    ) -> dict[str, str]:
        """``headers`` with what authorises the request. Raises AttemptFailed when nothing can.

        The URL must reach the wire as it stands here: its path is part of the signature.
        """
        if self._bearer:
            return {**headers, "Authorization": f"Bearer {self._bearer}"}
        await self.look()
        keys = await self._frozen()
        sign = partial(self._signer.signed, method, url, headers, body, region, keys, self._clock.now())
        return await aside(sign, len(body), INLINE_HASH)

    async def _usable(self) -> Keys | None:
        try:
            return await self._frozen()
        except AttemptFailed:
            return None

    async def _frozen(self) -> Keys:
        credentials = self._credentials
        if credentials is None:
            raise AttemptFailed(_refused(self._problem))
        if isinstance(credentials, Keys):
            return credentials
        # Only refreshable credentials can be due; asking them otherwise is free.
        due = getattr(credentials, "refresh_needed", None)
        try:
            if due is None or not due():
                frozen = credentials.get_frozen_credentials()
            else:
                renewing = self._renewal(credentials)
                if self._keys is not None and not due(MARGIN_SECONDS):
                    return self._keys
                frozen = await _in_time(renewing)
        except Exception as error:
            self._settle(self._explain(error))
            raise AttemptFailed(_refused(self._problem)) from error
        keys = Keys(frozen.access_key, frozen.secret_key, frozen.token)
        if credentials is self._credentials:  # and not in the place of others that were found meanwhile
            self._keys = keys
        return keys

    def _renewal(self, credentials: Any) -> asyncio.Task[Any]:
        """Whoever needs them meanwhile shares the answer, and the thread."""
        if self._renewing is None:
            self._renewing = asyncio.create_task(apart(credentials.get_frozen_credentials, "aws"))
            self._renewing.add_done_callback(self._over)
        return self._renewing

    def _over(self, renewing: asyncio.Task[Any]) -> None:
        self._renewing = None
        if not renewing.cancelled():
            renewing.exception()  # It is told to whoever still waits.

    def _find(self) -> tuple[Any, str]:
        """Runs in a thread."""
        if self._unfit:
            return None, self._unfit
        # The chain would find these first as well; it need not be built for them.
        settled = bool(self._bearer) or (self._environ_keys is not None and self._profile is None)
        if settled and not has_configuration():
            self.endpoints = self._asked_for
            return self._environ_keys, ""
        from botocore.session import Session

        try:
            session = Session(profile=self._profile)
            _hide_programs(session)
            # Its own parameter for that, which nobody hands on. Its prompt would wait for a terminal, and mute it.
            session.get_component("credential_provider").get_provider("assume-role")._prompter = _no_code  # noqa: SLF001
            self.endpoints = self._asked_for.configured(**_configured(session))
            if self.endpoints.problem:
                return None, self.endpoints.problem
            if settled:
                return self._environ_keys, ""
            credentials = session.get_credentials()
            if credentials is None:
                return None, NO_CREDENTIALS.format(name=self._name)
            credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001 - botocore raises anything about the nonsense that a program says
            return None, self._explain(error)
        return credentials, ""

    def _explain(self, error: BaseException) -> str:
        """The library's own words with the remedy that fits; it knows the causes by the names of its exceptions."""
        kind = type(error).__name__
        if isinstance(error, _Unanswered):
            return STILL
        if "SSO" in kind or kind == "TokenRetrievalError":
            return f"the AWS SSO login has expired: run aws sso login --profile {self._named}"
        if kind == "ProfileNotFound":
            return f"the AWS profile {self._named!r} does not exist: correct {self._named_by}"
        if isinstance(error, _CodeWanted):
            return CODE_WANTED.format(profile=self._named, name=self._name)
        said = str(error) if isinstance(error, _own_errors()) else f"{kind}: {error}"
        return f"AWS credentials cannot be used: {' '.join(redact(said).split())[:200]}"


async def _in_time(renewing: asyncio.Task[Any]) -> Any:
    """What the renewal gives or raises. Raises _Unanswered."""
    await asyncio.wait((renewing,), timeout=PATIENCE)
    if not renewing.done():
        raise _Unanswered
    return renewing.result()


def _configured(session: Any) -> dict[str, Any]:
    """Where the profile's section of AWS's configuration file wants the runtime to be, as botocore reads it."""
    from botocore.configprovider import ConfiguredEndpointProvider

    said = session.get_config_variable
    reader = ConfiguredEndpointProvider(session.full_config, session.get_scoped_config(), "bedrock-runtime")
    url = "" if said("ignore_configured_endpoint_urls") else reader.provide() or ""
    fips, dual_stack = (bool(said(f"use_{name}_endpoint")) for name in ("fips", "dualstack"))
    return {"url": url, "fips": fips, "dual_stack": dual_stack}


def _hide_programs(session: Any) -> None:
    """Without a console of our own, Windows would open one for each run of a ``credential_process``.

    And what there is for standard input may be nothing that a program can be given (botocore's issue 2455).
    """
    if sys.platform == "win32" and sys.stdin is None:
        import subprocess  # most accounts have no such program

        run = partial(subprocess.Popen, stdin=subprocess.DEVNULL, creationflags=subprocess.CREATE_NO_WINDOW)
        # Its own parameter for that, which nobody hands on.
        session.get_component("credential_provider").get_provider("custom-process")._popen = run  # noqa: SLF001


def _no_code(_prompt: str) -> str:
    raise _CodeWanted


def _refused(problem: str) -> Failure:
    return Failure(Fault.CREDENTIALS, problem, error_type=ErrorType.PERMISSION)


def _own_errors() -> tuple[type[BaseException], ...]:
    """Those whose words say for themselves what is wrong."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError, OSError)
