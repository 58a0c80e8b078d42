"""Processes that are kept in number, in a process of their own."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.conftest import wait_until

PROGRAM = """
import os, signal, sys
from msc_plans.storage.server_workers import keep_running

def work():
    os.write(1, f"{{os.getpid()}}\\n".encode())  # print may write twice, and others between
    {work}

sys.exit(keep_running(2, work))
"""


@pytest.fixture
def start():
    started = []

    def run(work="signal.pause()"):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(work=work)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def pids(process, number):
    return [int(process.stdout.readline()) for _ in range(number)]


def running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_end(*numbers):
    wait_until(lambda: not any(running(pid) for pid in numbers), seconds=10, what=f"the end of {numbers}")


def test_one_that_dies_is_replaced_and_all_end_with_the_one_that_keeps_them(start):
    process = start()
    first, second = pids(process, 2)
    os.kill(first, signal.SIGKILL)
    (third,) = pids(process, 1)
    all_end(first)
    assert running(second)
    assert running(third)
    process.terminate()
    assert process.wait(10) == 0
    all_end(second, third)


def test_a_signal_to_all_of_them_is_no_failure(start):
    process = start()
    both = pids(process, 2)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(10) == 0
    all_end(*both)


def test_they_end_with_one_that_is_killed(start):
    process = start()
    both = pids(process, 2)
    process.kill()
    all_end(*both)


def test_one_that_can_not_begin_ends_all_and_says_so(start):
    process = start("return 3")
    assert process.wait(20) == 3


def test_ctrl_c_is_one(start):
    process = start()
    both = pids(process, 2)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert error.count("Traceback") == 1, "of the one that keeps them, as of any program"
    all_end(*both)
