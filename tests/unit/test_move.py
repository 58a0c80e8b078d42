import threading
import time

from ophyd import Device

from devices.move import Move
from devices.wall import wall_clock


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
