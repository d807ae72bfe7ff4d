"""Jobs that run now and then."""

from datetime import timedelta

from sessions_app.timekeeper.housekeeping import Housekeeping


def test_a_job_runs_once_in_its_interval_and_again_while_more_is_left():
    now, ran, done = [100.0], [], [False, False, True, True]

    def purge() -> bool:
        ran.append(now[0])
        return done[len(ran) - 1]

    housekeeping = Housekeeping(timedelta(minutes=10), [purge], now=lambda: now[0])
    for at in (100.0, 101.0, 102.0, 103.0, 701.0, 702.0, 703.0):
        now[0] = at
        housekeeping.run()
    assert ran == [100.0, 101.0, 102.0, 702.0]
