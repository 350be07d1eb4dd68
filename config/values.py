"""The types of single values: what each checks, and what its error says to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from config.units import wrong

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]*$"
NOT_A_VARIABLE = "is not the name of a variable"


def _split(url: str, problem: str, remedy: str) -> tuple[SplitResult, int | None]:
    """A URL's parts and its port, or the problem that it has none that can be read."""
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        raise wrong(problem, remedy) from None


def _checked_url(url: str) -> str:
    """An http(s) URL without query, fragment or credentials; a slash at its end is dropped."""
    remedy = "write it like https://api.openai.com/v1"
    parts, port = _split(url, "is not a URL", remedy)
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise wrong("is not an http or https URL", remedy)
    if "@" in parts.netloc:
        raise wrong("carries credentials", "put the key into a variable and name it in api_key_env")
    if "?" in url or "#" in url:
        raise wrong("carries a query or fragment", remedy)
    if any(character.isspace() or not character.isprintable() for character in url):
        raise wrong("contains spaces or control characters", remedy)
    return url.rstrip("/")


def _checked_store_url(url: str) -> str:
    """A database URL of a kind the store knows."""
    scheme, separator, rest = url.partition("://")
    if not separator or not url.isprintable() or scheme not in ("sqlite", "postgresql", "postgresql+psycopg"):
        remedy = "write sqlite:///understudy.db or postgresql://user:password@host:5432/database"
        raise wrong("is not a database URL this store knows", remedy)
    if scheme == "sqlite" and (not rest.startswith("/") or rest in ("/", "/:memory:")):
        raise wrong("names no database file", "write sqlite:///understudy.db or sqlite:////absolute/path.db")
    if scheme != "sqlite":
        _check_server(url)
    return url


def _check_server(url: str) -> None:
    remedy = "write postgresql://user:password@host:5432/database"
    parts, _ = _split(url, "has no valid host and port", remedy)
    if not parts.path.strip("/"):
        raise wrong("names no database", remedy)


def _checked_folder(folder: Path) -> Path:
    """A path whose `~` is known and that holds nothing a file system refuses."""
    try:
        folder.expanduser()
    except RuntimeError:
        raise wrong("names a home folder that is not known", "write the whole path") from None
    if not str(folder).isprintable():
        raise wrong("contains control characters", "write it like .understudy or /var/lib/understudy")
    return folder


def _checked_header(name: str) -> str:
    if not name or any(not (c.isascii() and (c.isalnum() or c in "!#$%&'*+-.^_`|~")) for c in name):
        raise wrong("is not a header name", "use letters, digits and hyphens")
    return name.lower()


def _checked_header_value(value: str) -> str:
    if any(c in "\r\n\0" for c in value) or not value.isascii():
        raise wrong("is not a header value", "use one line of ASCII text")
    return value


def _printable(name: str) -> str:
    if not name.strip() or not name.isascii() or not name.isprintable() or name != name.strip():
        raise wrong("cannot be a name", "use printable ASCII: it is shown in the x-understudy-rule header")
    return name


def _variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise wrong(NOT_A_VARIABLE, "put the key into a variable and name that here, like OPENAI_API_KEY")
    return name


Folder = Annotated[Path, AfterValidator(_checked_folder)]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=128)]
RuleName = Annotated[str, AfterValidator(_printable), StringConstraints(max_length=128)]
BaseUrl = Annotated[str, AfterValidator(_checked_url)]
StoreUrl = Annotated[str, AfterValidator(_checked_store_url)]
HeaderName = Annotated[str, AfterValidator(_checked_header)]
HeaderValue = Annotated[str, AfterValidator(_checked_header_value)]
EnvironmentName = Annotated[str, AfterValidator(_variable)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fallback = Literal["upstream", "none"]
