"""kill -9 at random moments: nothing lost, nothing twice, nothing out of order."""

from pathlib import Path

import pytest

from tests.drill import Drill, Report


def _sound(report: Report, kills: int) -> None:
    assert not report.lost
    assert not report.twice
    assert not report.disordered
    assert not report.problems, "Slack would have refused a message"
    assert sum(report.kills.values()) == kills
    assert report.lost_answers > 0, "nothing was put to the test"
    assert report.looked_up > 0
    assert report.seconds_to_stop < 5
    assert report.megabytes < 300


async def test_a_short_drill(tmp_path: Path) -> None:
    report = await Drill(tmp_path, kills=7, seed=20, pause=0.8, calm=True).run()
    _sound(report, 7)
    assert report.published > 10


@pytest.mark.slow
async def test_a_hundred_kills(tmp_path: Path) -> None:
    report = await Drill(tmp_path, kills=110, seed=5, pause=1.2).run()
    print(report)
    _sound(report, 110)
    assert report.lost_answers >= 10
    assert report.killed_after_storing >= 10
    assert report.revisions > 50
