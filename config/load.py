"""A configuration file as one value: settings, their version hash, keys, and the router made of the rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from config.document import Document, parse
from config.problem import ConfigError, Problem
from config.rules import rule_router
from config.settings import Engine, Learning, Settings, Upstream
from config.validate import validated
from router.learned import Learned
from router.patterns import Pattern, pattern
from router.rule_router import RuleRouter
from serving import publication

FILE_NAME: Final = "understudy.yaml"


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything a worker needs to know, replaced as a whole when the file changes."""

    settings: Settings
    """Paths in it are absolute."""
    written: Settings = field(repr=False)
    """The same with paths as the file has them."""
    version: str
    """Short hash of the effective settings: equal hashes decide equally."""
    path: Path | None
    """The file; None when the defaults hold."""
    router: RuleRouter
    upstream_keys: Mapping[str, str] = field(repr=False)
    """The key of each upstream whose variable is set."""
    engine_keys: Mapping[str, str] = field(repr=False)
    models: tuple[tuple[Pattern, str], ...] = field(repr=False)
    """Globs of models with the upstream of each, in order."""

    @property
    def artifacts(self) -> Path:
        """The folder of trained artifacts."""
        return self.settings.learning.artifacts or self.settings.state_dir / "artifacts"

    @property
    def journal(self) -> Path:
        """The folder of the journal."""
        return self.settings.state_dir / "journal"

    @property
    def published(self) -> Path:
        """The file that says which understudies are deployed."""
        return self.settings.state_dir / "learned" / publication.FILE_NAME

    def with_learned(self, learned: Learned | None) -> Configuration:
        """The same configuration over another learned router."""
        return replace(self, router=rule_router(self.settings, learned))

    def upstream_for(self, model: str) -> str:
        """Name of the upstream that serves a model: the first whose glob matches, else the first of the file."""
        for glob, name in self.models:
            if glob.matches(model):
                return name
        return next(iter(self.settings.upstreams))


def load(path: Path | None, environ: Mapping[str, str], learned: Learned | None = None) -> Configuration:
    """Read a file and check it whole; without a path `understudy.yaml` of the working folder, else the defaults.

    Raises ConfigError with every problem."""
    if path is None and not Path(FILE_NAME).exists():
        return configuration(Settings(), environ, learned=learned)
    file = Path(FILE_NAME) if path is None else path
    return configuration(read(file, environ), environ, path=file, learned=learned)


def from_text(
    text: bytes, environ: Mapping[str, str], *, path: Path, learned: Learned | None = None
) -> Configuration:
    """What a file at `path` would be if it held this text; nothing is read. Raises ConfigError with every problem."""
    settings = validated(parse(text, str(path), environ), environ)
    return configuration(settings, environ, path=path, learned=learned)


def read(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of a file, its paths as they are written; raises ConfigError."""
    return validated(document(path, environ), environ)


def document(path: Path, environ: Mapping[str, str]) -> Document:
    """The plain values of a file; raises ConfigError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        problem = Problem(
            str(path), 0, 0, "", "", f"cannot be read: {error.strerror}", "name a readable file"
        )
        raise ConfigError([problem]) from None
    return parse(text, str(path), environ)


def configuration(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    path: Path | None = None,
    learned: Learned | None = None,
) -> Configuration:
    """A Configuration of settings; relative paths are taken from the folder of `path`, else the working folder."""
    return Configuration(
        settings=_located(settings, (path.parent if path else Path()).resolve()),
        written=settings,
        version=version(settings),
        path=path,
        router=rule_router(settings, learned),
        upstream_keys=_keys(settings.upstreams, environ),
        engine_keys=_keys(settings.engines, environ),
        models=tuple(
            (pattern(glob), name) for name, upstream in settings.upstreams.items() for glob in upstream.models
        ),
    )


def version(settings: Settings) -> str:
    """Twelve hexadecimal digits of the settings' SHA-256, independent of comments and spelling."""
    canonical = json.dumps(settings.model_dump(mode="json"), separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _located(settings: Settings, folder: Path) -> Settings:
    store = settings.store.model_copy(update={"url": _located_url(settings.store.url, folder)})
    located = {"store": store, "state_dir": folder / settings.state_dir.expanduser()}
    located["learning"] = _located_learning(settings.learning, folder)
    return settings.model_copy(update=located)


def _located_learning(learning: Learning, folder: Path) -> Learning:
    """With the folders and files that it names absolute."""
    located: dict[str, object] = {}
    if learning.artifacts is not None:
        located["artifacts"] = folder / learning.artifacts.expanduser()
    if learning.selection.catalogue is not None:
        own = folder / learning.selection.catalogue.expanduser()
        located["selection"] = learning.selection.model_copy(update={"catalogue": own})
    return learning.model_copy(update=located)


def _located_url(url: str, folder: Path) -> str:
    """A database URL whose SQLite file is absolute: `sqlite:///file` is relative, `sqlite:////file` is not."""
    if not url.startswith("sqlite:"):
        return url
    file, question, options = url.removeprefix("sqlite:///").partition("?")
    return f"sqlite:///{folder / file}{question}{options}"


def _keys(
    holders: Mapping[str, Upstream] | Mapping[str, Engine], environ: Mapping[str, str]
) -> dict[str, str]:
    return {
        name: key
        for name, holder in holders.items()
        if holder.api_key_env is not None and (key := environ.get(holder.api_key_env, "").strip())
    }
