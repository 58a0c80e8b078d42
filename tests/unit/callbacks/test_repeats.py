"""Events that RunEngine repeats after a pause are passed on once."""

from event_model import compose_run

from msc_plans.callbacks.repeats import WithoutRepeats


def test_a_repeated_event_is_dropped_and_later_ones_are_not():
    passed = []
    callback = WithoutRepeats(lambda *item: passed.append(item))
    run = compose_run()
    stream = run.compose_descriptor(name="primary", data_keys={"x": {"dtype": "number", "shape": [], "source": ""}})
    first, second = (stream.compose_event(data={"x": x}, timestamps={"x": 0.0}) for x in (1.0, 2.0))
    again = {**first, "uid": "another", "data": {"x": 1.1}}
    callback("start", run.start_doc)
    callback("descriptor", stream.descriptor_doc)
    for event in (first, again, second):
        callback("event", event)
    callback("stop", run.compose_stop())
    assert [name for name, _ in passed] == ["start", "descriptor", "event", "event", "stop"]
    assert [doc["data"]["x"] for name, doc in passed if name == "event"] == [1.0, 2.0]
    assert not callback._last
