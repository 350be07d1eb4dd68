"""The unit is one that systemd takes, and one that gives little away."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HARDENING = {
    "DynamicUser": "yes",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "StateDirectory": "understudy",
    "StateDirectoryMode": "0700",
    "CapabilityBoundingSet": "",
    "SystemCallFilter": "@system-service",
}

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


@pytest.fixture(scope="module")
def unit(root: Path) -> dict[str, list[str]]:
    """Values by key; sections have no key in common."""
    values: dict[str, list[str]] = {}
    for line in (root / "deploy/understudy.service").read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            values.setdefault(key, []).append(value)
    return values


@pytest.fixture
def installed(root: Path, tmp_path: Path) -> Path:
    """The unit with its command where it is in this environment, because systemd looks whether it is there."""
    command = Path(sys.executable).with_name("understudy")
    text = (root / "deploy/understudy.service").read_text()
    path = tmp_path / "understudy.service"
    path.write_text(text.replace("/opt/understudy/bin/understudy", str(command)))
    return path


@needs_systemd
def test_systemd_takes_it(installed: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", installed], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_systemd_finds_little_exposure(installed: Path) -> None:
    """The score goes from 0 (closed) to 10 (open); the threshold is ten times as large."""
    command = [
        "systemd-analyze",
        "security",
        "--offline=true",
        "--threshold=20",
        "--no-pager",
        str(installed),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-500:]


@pytest.mark.parametrize(("key", "value"), HARDENING.items())
def test_hardening(key: str, value: str, unit: dict[str, list[str]]) -> None:
    assert unit[key] == [value]


def test_it_has_time_to_stop_and_does_not_restart_for_a_bad_configuration(unit: dict[str, list[str]]) -> None:
    drain, workers_grace, shipper_grace = 30, 15, 30
    assert int(unit["TimeoutStopSec"][0]) > drain + workers_grace + shipper_grace
    assert unit["KillMode"] == ["mixed"]
    assert unit["Restart"] == ["always"]
    assert unit["RestartPreventExitStatus"] == ["2"]


def test_secrets_come_from_a_file(unit: dict[str, list[str]]) -> None:
    assert unit["EnvironmentFile"] == ["-/etc/understudy/environment"]
    assert not any("KEY" in value for value in unit["Environment"])
