"""Transports by name, and the one that is an extra."""

from __future__ import annotations

import subprocess
import sys

import pytest

from proxy.transport.aiohttp_client import AiohttpTransport
from proxy.transport.choice import TransportName, create_transport
from proxy.transport.lean import LeanTransport


@pytest.mark.parametrize(("name", "kind"), [("lean", LeanTransport), ("aiohttp", AiohttpTransport)])
async def test_transports_by_name(name: TransportName, kind: type[object]) -> None:
    transport = create_transport(name)
    assert type(transport) is kind
    await transport.aclose()


def test_the_lean_transport_needs_no_aiohttp_and_the_other_says_what_to_install() -> None:
    program = """
import sys
sys.modules["aiohttp"] = None
from proxy.transport.choice import create_transport
create_transport("lean")
try:
    create_transport("aiohttp")
except ImportError as error:
    print(error)
"""
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'understudy[aiohttp]'" in finished.stdout
