"""A plain Channel Access client (caproto, no ophyd) on a soft IOC of its own."""

import os
from contextlib import contextmanager

from caproto import ChannelType

from msc_plans.checkup.records import channel_access
from msc_plans.session.simulator import use_loopback


class Client:
    def __init__(self, context, prefix="MSC:"):
        self._context, self._prefix, self._known = context, prefix, {}

    def record(self, name):
        if name not in self._known:
            (self._known[name],) = self._context.get_pvs(self._prefix + name)
            self._known[name].wait_for_connection(timeout=20)
        return self._known[name]

    def get(self, name, timeout=10.0, **kwargs):
        answer = self.record(name).read(timeout=timeout, **kwargs)
        return answer.data[0]

    def text(self, name):
        return self.record(name).read(data_type=ChannelType.STRING).data[0].decode()

    def array(self, name):
        return self.record(name).read().data

    def put(self, name, value, timeout=10.0):
        return self.record(name).write([value], wait=True, timeout=timeout, data_type=_type(value))

    def go(self, name, value):
        """Put without waiting for the answer."""
        self.record(name).write([value], wait=False, data_type=_type(value))


def _type(value):
    return ChannelType.STRING if isinstance(value, str) else None


@contextmanager
def client(simulator):
    """Yield a client of a simulator; the environment is as before afterwards."""
    names = use_loopback(simulator.port)
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        with channel_access() as context:
            yield Client(context, simulator.prefix)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
