"""Channel Access to an IOC that dies while it is being connected to."""

import socket

import devices  # noqa: F401  its import mends the client


def test_a_record_whose_ioc_refused_the_connection_is_searched_for_again(ioc, monkeypatch):
    from caproto.threading import client

    refused, connect = [], socket.create_connection

    def refuse_twice(address, *args, **kwargs):
        if len(refused) < 2:
            refused.append(address)
            raise ConnectionRefusedError(111, "Connection refused")
        return connect(address, *args, **kwargs)

    monkeypatch.setattr(client.socket, "create_connection", refuse_twice)
    context = client.Context()
    try:
        records = context.get_pvs("MSC:Reactor:Pressure", "MSC:Reactor:Interlock", "MSC:Sim:Clock")
        for record in records:
            record.wait_for_connection(timeout=15)
            assert record.read().data.size == 1
        assert len(refused) == 2
    finally:
        context.disconnect()
