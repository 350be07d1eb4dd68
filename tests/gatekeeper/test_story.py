"""An understudy's life, from its evaluation to live traffic and out again, with nobody watching."""

from __future__ import annotations

import pytest

from tests.gatekeeper.stage import NAME, TASK, Stage, gatekeeper

pytestmark = pytest.mark.timeout(600)


def test_from_shadow_to_live_and_demoted_when_it_turns_bad(stage: Stage) -> None:
    stage.deploy()
    with gatekeeper(stage) as running:
        stage.eventually(lambda: stage.state() == "shadow", "the offline verdict lets it into shadow")
        stage.eventually(lambda: stage.shares() == {NAME: 0.0}, "that is published")
        stage.work_until(lambda: stage.state() == "live", "an understudy that always agrees is live", 60)
        assert stage.path() == ["shadow", "canary5", "canary25", "live"]
        stage.eventually(lambda: stage.shares() == {NAME: 1.0}, "that is published")
        deployed = stage.published().deployments[0]
        assert (deployed.understudy, deployed.task, deployed.share) == (NAME, TASK, 1.0)
        assert (deployed.agreement, deployed.confidence) == (0.95, 0.95)
        before = stage.served
        stage.work(20)
        assert stage.served == before + 20

        stage.understudy.wrong = 0.5
        stage.work_until(lambda: stage.state() == "demoted", "a bad one is demoted", 20)
        stage.eventually(lambda: not stage.shares(), "and workers hear of it")
        before = stage.served
        stage.work(20)
        assert stage.served == before
        last = stage.deployments.moves(NAME)[-1]
        assert (last.after, last.rule) == ("demoted", "fall")
        assert f"{NAME}: live -> demoted (fall)" in running.log.read_text()
    said = running.log.read_text()
    assert " ERROR " not in said
    assert "ticket 1" not in said
    assert running.process.returncode == 0
