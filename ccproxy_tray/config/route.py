"""The ``routing`` section: the sequences of providers, in both shapes, and how a chain is walked."""

from __future__ import annotations

from collections.abc import Mapping

from ccproxy_tray import catalog
from ccproxy_tray.config.error_rule import error_rules
from ccproxy_tray.config.provider import region
from ccproxy_tray.config.reading import quoted
from ccproxy_tray.config.report import suggestion
from ccproxy_tray.config.schema import AUTO, Failback, ProviderConfig, Route, Routing, Step, Variant
from ccproxy_tray.config.section import Section
from ccproxy_tray.config.value import FLAG, MILLISECONDS, PAUSE, TEXT, one_of
from ccproxy_tray.routing.plan import DEFAULT_ROUTE
from ccproxy_tray.routing.target import ProviderType
from ccproxy_tray.routing.trait import Word, read_trait


class _Sequences:
    """Reads sequences against the accounts that there are.

    ``names`` are all accounts that the file mentions: one that is itself unsound is not reported a second time.
    """

    def __init__(self, accounts: Mapping[str, ProviderConfig], names: tuple[str, ...]) -> None:
        self._accounts = accounts
        self._names = names

    def sequence(self, section: Section) -> tuple[Step, ...] | None:
        items = section.items("provider_sequence", "name")
        if items == ():
            section.problem("names no provider; list at least one, or remove the key", "provider_sequence")
        return tuple(self._step(item) for item in items) if items else None

    def route(self, section: Section) -> Route:
        model = _condition(section)
        steps = self.sequence(section)
        if steps is None and "provider_sequence" not in section.keys:
            section.problem("needs provider_sequence")
        section.close()
        return Route(model, steps or ())

    def check_name(self, name: str, section: Section, key: str) -> None:
        if name and name not in self._names:
            hint = suggestion(name, self._names) or "; describe it under providers"
            section.problem(f"there is no provider {quoted(name)}{hint}", key)

    def _step(self, section: Section) -> Step:
        name = section.value("name", TEXT, "", required="needs name: the provider to try")
        self.check_name(name, section, "name")
        variants = section.items("variants", "model")
        section.close()
        return Step(name, tuple(self._variant(item, name) for item in variants) if variants else (Variant(),))

    def _variant(self, section: Section, name: str) -> Variant:
        model = section.value("model", TEXT, AUTO, blank=False)
        variant = Variant(AUTO if model.lower() == AUTO else model, region(section, ""))
        account = self._accounts.get(name)
        if variant.region and account and account.type is not ProviderType.BEDROCK:
            section.warning(f"has no effect on a provider of type {account.type}", "region")
        if account and (own := _own_name(variant, account)) not in ("", model):
            section.warning(f'{quoted(model)} is not what {account.type} calls it: write "{own}"', "model")
        section.close()
        return variant


def _own_name(variant: Variant, account: ProviderConfig) -> str:
    """What a provider calls a Claude model; empty where it is free to choose. A variant's own name is sent as it is."""
    if not catalog.is_claude(variant.model):
        return ""
    if account.type is ProviderType.BEDROCK:
        return catalog.bedrock_id(variant.model, variant.region or account.region)
    return catalog.openrouter_slug(variant.model) if account.type is ProviderType.OPENROUTER else ""


def routing(section: Section, accounts: Mapping[str, ProviderConfig], names: tuple[str, ...]) -> Routing:
    """The routing settings; the default route stands in ``provider_sequence`` whichever shape the file has."""
    sequences = _Sequences(accounts, names)
    default = Routing()
    flat = sequences.sequence(section)
    routes = _routes(section, sequences)
    order = section.texts("order")
    only = section.value("only", TEXT, default.only)
    for name in order:
        sequences.check_name(name, section, "order")
    sequences.check_name(only, section, "only")
    steps = _usual(section, flat, routes) or default.provider_sequence
    tried = {step.name for each in (steps, *(route.provider_sequence for route in routes)) for step in each}
    _warn_of_idle([name for name in order if name in accounts and name not in tried], section)
    return Routing(
        enable=section.value("enable", FLAG, default.enable),
        provider_sequence=steps,
        models=routes,
        order=order,
        only=only,
        retry_timeout_millis=section.value("retry_timeout_millis", MILLISECONDS, default.retry_timeout_millis),
        rate_limit_seconds=section.value("rate_limit_seconds", PAUSE, default.rate_limit_seconds),
        max_wait_seconds=section.value("max_wait_seconds", PAUSE, default.max_wait_seconds),
        failback=section.value("failback", one_of(Failback), default.failback),
        errors=error_rules(section, sequences.check_name),
    )


def _usual(section: Section, flat: tuple[Step, ...] | None, routes: tuple[Route, ...]) -> tuple[Step, ...] | None:
    """Who serves what has no route of its own: the route for that comes before the ``flat`` sequence."""
    route = next((route.provider_sequence for route in routes if route.model.lower() == DEFAULT_ROUTE), None)
    if not route:
        return flat
    section.came_from("provider_sequence", "file")
    if flat:
        text = f'never used: the route "{DEFAULT_ROUTE}" of routing.models comes before it'
        section.warning(text, "provider_sequence")
    return route


def _warn_of_idle(names: list[str], section: Section) -> None:
    """An order adds nobody to a sequence, as one might expect."""
    for name in names:
        section.warning(f"{quoted(name)} is in no provider_sequence, so that nothing is sent there", "order")


def _condition(section: Section) -> str:
    """What a route stands for: a model, or a trait as it prints itself; empty, and a problem, when it is neither."""
    keys = section.has_keys("model")
    if keys:
        text = _mapped(section.section("model"))
    else:
        text = section.value("model", TEXT, "", required="needs model: what to look for in the requested model")
    try:
        trait = read_trait(text)
    except ValueError as fault:
        section.problem(str(fault), "model")
        return ""
    if keys and trait is None:
        section.problem("expected the name of a model, or long_context with its number of tokens, got keys", "model")
        return ""
    if trait is None and (hint := suggestion(text.partition(":")[0], Word)):
        section.warning(f"{quoted(text)} is looked for in the names of models{hint}", "model")
    return str(trait or text)


def _mapped(section: Section) -> str:
    """``{ long_context: 200000 }`` as the text that it stands for, which YAML takes only in quotation marks."""
    [word, *others] = section.keys or ("",)
    return "" if others or not word else f"{word}: {section.value(word, TEXT, '')}"


def _routes(section: Section, sequences: _Sequences) -> tuple[Route, ...]:
    items = section.items("models", "model") or ()
    routes = tuple(sequences.route(item) for item in items)
    known: set[str] = set()
    for item, route in zip(items, routes, strict=True):
        word = route.model.lower()
        if word in known:
            item.problem(f"two routes for {quoted(word)}; only one can be taken", "model")
        elif word:  # Those that say nothing are a problem already, and no two of a kind.
            known.add(word)
    return routes
