"""What the supervisor hands to a process that it starts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.context import find_config
from cli.in_force import InForce
from config.load import Configuration, load


@dataclass(frozen=True, slots=True)
class ProcessArguments:
    """The command line of a process of this server."""

    config: Path | None
    """The configuration file; None when the defaults hold."""
    in_force: InForce
    lifeline: int
    """Read end of a pipe that ends with the parent."""
    listener: int
    """The socket to accept on; -1 for those that accept nothing."""
    heads: str
    """URL of the embedded head server; empty when there is none."""

    def configuration(self, environ: Mapping[str, str]) -> Configuration:
        """What this process begins with. Raises ConfigError."""
        return self.in_force.take(self.config, environ) or load(self.config, environ)


def parse(description: str) -> ProcessArguments:
    """Read this process's command line."""
    parser = argparse.ArgumentParser(description=f"{description}; started by `understudy serve`.")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--in-force", type=int, required=True)
    parser.add_argument("--lifeline", type=int, required=True)
    parser.add_argument("--listener", type=int, default=-1)
    parser.add_argument("--heads", default="")
    given = parser.parse_args()
    return ProcessArguments(
        find_config(given.config), InForce(given.in_force), given.lifeline, given.listener, given.heads
    )
