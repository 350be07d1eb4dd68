"""Keys: the master keys of the log, and the variables that hold the keys of upstreams and engines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cli.checks.finding import Finding, ok, problem, warning
from cli.context import key_file
from config.load import Configuration
from store.errors import KeyringError
from store.keyring import VARIABLE, KeyRing


def check_keys(configuration: Configuration, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The master keys, then each variable that the configuration names."""
    yield _master_keys(configuration, environ)
    settings = configuration.settings
    for name, upstream in settings.upstreams.items():
        yield from _variable(f"upstream {name}", upstream.api_key_env, environ, settings.auth.mode == "keys")
    for name, engine in settings.engines.items():
        if engine.api_key_env is not None:
            yield from _variable(f"engine {name}", engine.api_key_env, environ, True)


def load_ring(configuration: Configuration, environ: Mapping[str, str]) -> KeyRing | None:
    """The master keys; None where there are none yet. Raises KeyringError."""
    path = key_file(configuration)
    if not environ.get(VARIABLE) and not path.exists():
        return None
    return KeyRing.load(path, environ)


def _master_keys(configuration: Configuration, environ: Mapping[str, str]) -> Finding:
    place = VARIABLE if environ.get(VARIABLE) else str(key_file(configuration))
    try:
        ring = load_ring(configuration, environ)
    except KeyringError as error:
        text, _, remedy = str(error).partition("; ")
        return problem("master keys", text, remedy or f"see to {place}")
    if ring is None:
        return ok("master keys", f"none yet; the first start makes {place}")
    ids = ", ".join(key_id.hex() for key_id in ring.ids)
    return ok(
        "master keys", f"{len(ring.ids)} in {place} ({ids}); back them up: without them the log is lost"
    )


def _variable(
    check: str, variable: str | None, environ: Mapping[str, str], needed: bool
) -> Iterator[Finding]:
    if variable is None:
        if needed:
            yield warning(
                check,
                "auth.mode is keys, and no api_key_env says which key goes upstream",
                f"name a variable in {check.replace(' ', 's.')}.api_key_env",
            )
        return
    if environ.get(variable, "").strip():
        yield ok(check, f"its key is in {variable}")
    elif needed:
        yield problem(check, f"{variable} is not set", f"set {variable} where understudy is started")
    else:
        yield ok(check, f"{variable} is not set, so agents must send their own key")
