import threading
import time

import pytest
from ophyd import Device

from devices.core.move import GivenUpError, Move, wall_clock


def test_a_jump_of_the_machines_clock_neither_ends_nor_prolongs_a_move(monkeypatch):
    there = threading.Event()
    now = time.time
    move = Move(
        Device(name="device"),
        lambda one: one.until(there.is_set, timeout_s=600.0, what="the end"),
        clock=wall_clock,
    )
    for jump_s in (86_400.0, -86_400.0):
        monkeypatch.setattr(time, "time", lambda jump_s=jump_s: now() + jump_s)
        assert not threading.Event().wait(0.1)
        assert not move.done
    there.set()
    move.wait(5)
    assert move.success


@pytest.mark.parametrize("pardoned", [True, False])
def test_what_fails_in_a_move_that_was_given_up_fails_because_of_that(pardoned):
    stopped = threading.Event()

    def steps(move):
        assert stopped.wait(5)
        raise RuntimeError("the beam was lost")

    device = Device(name="device")
    device.stop = lambda *, success=False: pytest.fail("it goes elsewhere already")
    move = Move(device, steps, clock=wall_clock)
    move.give_up(success=pardoned)
    stopped.set()
    if pardoned:
        move.wait(5)
    else:
        with pytest.raises(GivenUpError, match="device: given up, then: the beam was lost"):
            move.wait(5)
