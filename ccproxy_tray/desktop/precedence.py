"""Who wins: whether Claude Code really asks the proxy, given everything that is set at every level; and what to do.

No value is repeated in a finding but the scheme, host and port of a URL: paths, queries and user names of URLs may
hold keys. What is said of Claude Code was seen in runs of 2.1.330.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ccproxy_tray.config.address import is_loopback
from ccproxy_tray.config.files import real
from ccproxy_tray.desktop.claude_level import Level, Setting, World
from ccproxy_tray.desktop.claude_settings import AUTH_KEYS, BASE_URL, DIRECTORY_VARIABLE
from ccproxy_tray.desktop.conflict import Conflict, Severity, conflict, removal, replacement, whom_to_ask
from ccproxy_tray.desktop.proxy_bypass import BYPASSES, PROXIES, bypassed
from ccproxy_tray.redact import shown

SWITCHES = {
    "CLAUDE_CODE_USE_BEDROCK": "ANTHROPIC_BEDROCK_BASE_URL",
    "CLAUDE_CODE_USE_VERTEX": "ANTHROPIC_VERTEX_BASE_URL",
    "CLAUDE_CODE_USE_FOUNDRY": "ANTHROPIC_FOUNDRY_BASE_URL",
    "CLAUDE_CODE_USE_MANTLE": "ANTHROPIC_BEDROCK_MANTLE_BASE_URL",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS": "ANTHROPIC_AWS_BASE_URL",
    "CLAUDE_CODE_USE_ANTHROPIC_GOOGLE_CLOUD": "ANTHROPIC_GOOGLE_CLOUD_BASE_URL",
}
"""What makes Claude Code speak to a cloud itself, with the variable that then names the address."""
DETOURS = {
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "Whoever starts Claude Code decides whom it asks; its settings do not.",
    "ANTHROPIC_UNIX_SOCKET": "Claude Code sends every request into that socket.",
}
QUIETING = ("DISABLE_TELEMETRY", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC")
LOGINS = ("forceLoginMethod", "forceLoginOrgUUID", "forceLoginGatewayUrl")
TIMEOUT = "API_TIMEOUT_MS"
ENOUGH_MS = 120_000
"""An answer that is not streamed may take as long as the proxy waits for one target's first word."""
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("", "0", "false", "no", "off")
_PORTS = {"http": 80, "https": 443}


def base_url(world: World) -> Setting | None:
    """The setting that decides where Claude Code sends its requests; None when it asks Anthropic directly."""
    return world.variable(BASE_URL)


def findings(world: World, url: str, token: str = "") -> tuple[Conflict, ...]:
    """Everything that keeps Claude Code from the proxy at ``url``, or from working well with it.

    ``token`` is the proxy's own, empty when it asks for none. That no level names a base URL is no conflict: then
    Claude Code is not connected, see :func:`base_url`.
    """
    found = [*_files(world), *_switches(world)]
    base = base_url(world)
    if base is not None:
        found += _address(world, base, url)
    if base is not None and _reaches(base, url):
        found += [*_proxied(world, base), *_credentials(world, token), *_logins(world)]
        found += [*_quiet(world), *_timeout(world)]
    return tuple(found)


def misplaced(world: World, connected: str) -> Conflict | None:
    """The hookup lies in another settings file (``connected``) than the one that this shell's Claude Code reads."""
    if real(Path(connected)) == real(Path(world.user)):  # a session may know the home folder by a link to it
        return None
    variable = world.variable(DIRECTORY_VARIABLE)
    where = variable.where if variable else world.user
    effect = f"The proxy is written into {connected}, but Claude Code in this shell reads {world.user}."
    remedy = "Run `ccproxy-tray connect` in this shell."
    return Conflict(Level.SHELL, where, DIRECTORY_VARIABLE, effect, remedy)


def remaining(world: World, url: str) -> Conflict | None:
    """What still leads Claude Code to the proxy at ``url`` when the hookup does no longer."""
    base = base_url(world)
    if base is None or not _reaches(base, url):
        return None
    return conflict(base, "It still leads Claude Code to the proxy.", removal(world, base))


def origin(url: str) -> str:
    """The scheme, host and port of a URL, fit to be shown to anybody."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "something that is no URL"
    if not parts.scheme or not host:
        return "something that is no URL" if url else "nothing"
    name = f"[{host}]" if ":" in host else host
    return shown(f"{parts.scheme}://{name}:{port}" if port else f"{parts.scheme}://{name}")


def _files(world: World) -> Iterator[Conflict]:
    for source in world.sources:
        if not source.problem:
            continue
        effect, severity = f"{shown(source.problem, 300)}; Claude Code ignores the whole file.", Severity.HINDERS
        if source.level is Level.MANAGED:
            effect, severity = f"{shown(source.problem, 300)}; Claude Code does not start.", Severity.BREAKS
        elif source.level is Level.USER:
            severity = Severity.BREAKS
        remedy = whom_to_ask(source.level) or "Correct the file."
        yield Conflict(source.level, source.where(), "the file", effect, remedy, severity)


def _switches(world: World) -> Iterator[Conflict]:
    for key, address in SWITCHES.items():
        setting = world.variable(key)
        if setting is not None and _on(setting.value):
            target = world.variable(address)
            to = f" at {origin(target.value)} ({address} in {target.where})" if target and target.value else ""
            effect = f"Claude Code asks that cloud{to} itself, and {BASE_URL} counts for nothing."
            yield conflict(setting, effect, removal(world, setting))
    for key, effect in DETOURS.items():
        setting = world.variable(key)
        if setting is not None and setting.value.strip().lower() not in _FALSE:
            yield conflict(setting, effect, removal(world, setting))


def _address(world: World, base: Setting, url: str) -> Iterator[Conflict]:
    """What is wrong with the base URL that wins."""
    wanted, given = urlsplit(url), _split(base.value)
    remedy = replacement(base, url)
    if given is None or not _reaches(base, url):
        here = given is not None and is_loopback(given[1])
        other = "another port of this machine than the proxy's" if here else "not the proxy"
        effect = f"It is set to {origin(base.value)}{_over(world, base)}: {other} ({origin(url)})."
        yield conflict(base, effect, remedy)
    elif given[0] != wanted.scheme:
        yield conflict(base, "It says https, but the proxy speaks plain HTTP on this machine.", remedy)
    elif given[3].endswith("/v1"):
        yield conflict(base, "It ends in /v1, to which Claude Code adds /v1/messages: every request fails.", remedy)
    elif given[3]:
        yield conflict(base, "It has a path, but the proxy serves at its root only: every request fails.", remedy)
    elif given[1] != wanted.hostname:
        effect = f"{origin(base.value)} reaches the proxy only where that serves both loopback addresses."
        yield conflict(base, effect, remedy, Severity.NOTE)


def _reaches(base: Setting, url: str) -> bool:
    """Whether requests go to the proxy's port on this machine, however that is spelled."""
    given = _split(base.value)
    return given is not None and is_loopback(given[1]) and given[2] == urlsplit(url).port


def _proxied(world: World, base: Setting) -> Iterator[Conflict]:
    """An HTTP proxy that gets what is meant for this machine."""
    given = _split(base.value)
    assert given is not None  # see _reaches
    proxies = [setting for name in PROXIES if (setting := world.variable(name)) and setting.value]
    entries = [setting for name in BYPASSES if (setting := world.variable(name)) and setting.value]
    if not proxies or (entries and bypassed(entries[0].value, given[1], given[2])):
        return
    by = proxies[0]
    effect = f"Claude Code sends even requests for this machine through {origin(by.value)}."
    name = f"{given[1]},127.0.0.1" if given[1] != "127.0.0.1" else "localhost,127.0.0.1"
    if entries:
        remedy = f"Add {name} to {entries[0].key} in {entries[0].where}."
    else:
        remedy = f'Add "NO_PROXY": "{name}" to "env" in {world.user}.'
    yield conflict(by, effect, remedy)


def _credentials(world: World, token: str) -> Iterator[Conflict]:
    keys = [setting for name in AUTH_KEYS if (setting := world.variable(name)) is not None]
    given = [setting for setting in keys if setting.value]
    helper = world.setting("apiKeyHelper")
    if token and given and token not in [setting.value for setting in given]:
        effect = "It is not the token that the proxy asks for (server.token): every request is refused."
        yield conflict(given[0], effect, "Run `ccproxy-tray connect`, or set it to that token.")
    if len(given) > 1:
        effect = f"{given[0].key} in {given[0].where} is set too; Claude Code sends both and warns of it."
        yield conflict(given[1], effect, removal(world, given[1]), Severity.HINDERS)
    if helper is not None and helper.value:
        effect = "What the program prints is sent along with every request, beside any token that is set."
        yield conflict(helper, effect, removal(world, helper), Severity.HINDERS)
    if keys and not given and not (helper and helper.value) and not world.variable("CLAUDE_CODE_OAUTH_TOKEN"):
        effect = 'It is empty and wins; without another login Claude Code says "Not logged in".'
        yield conflict(keys[0], effect, removal(world, keys[0]), Severity.HINDERS)


def _logins(world: World) -> Iterator[Conflict]:
    for key in LOGINS:
        setting = world.setting(key, Level.MANAGED)
        if setting is not None and setting.value:
            effect = "Claude Code refuses to start with a token in place of the login that is demanded here."
            yield conflict(setting, effect, removal(world, setting))


def _quiet(world: World) -> Iterator[Conflict]:
    """Auto mode wants its safety check, and that wants telemetry (Claude Code's own message says so)."""
    permissions = world.setting("permissions")
    mode = permissions.value.get("defaultMode") if permissions and isinstance(permissions.value, dict) else None
    if mode not in (None, "auto"):
        return
    for key in QUIETING:
        setting = world.variable(key)
        if setting is not None and _on(setting.value):
            effect = "Auto mode is unavailable with it: commands are not run."
            remedy = f'{removal(world, setting)} Or choose another "permissions.defaultMode".'
            yield conflict(setting, effect, remedy, Severity.HINDERS)


def _timeout(world: World) -> Iterator[Conflict]:
    setting = world.variable(TIMEOUT)
    if setting is not None and setting.value.strip().isdecimal() and int(setting.value[:12]) < ENOUGH_MS:
        effect = f"Claude Code gives up below {ENOUGH_MS // 1000} s, while the proxy may still find a provider."
        remedy = f"Set it to 600000 in {setting.where}."
        yield conflict(setting, effect, remedy, Severity.HINDERS)


def _split(value: str) -> tuple[str, str, int, str] | None:
    """Scheme, host, port and path without a slash at the end; None for what is no URL of a web server."""
    try:
        parts = urlsplit(value.strip())
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    if port is None or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port, parts.path.rstrip("/")


def _on(value: str) -> bool:
    return value.strip().lower() in _TRUE


def _over(world: World, setting: Setting) -> str:
    """What the setting wins over."""
    lower = [source for source in world.sources if setting.key in source.env and source is not setting.source]
    return f" and wins over {lower[-1].where(f'env.{setting.key}')}" if lower else ""
