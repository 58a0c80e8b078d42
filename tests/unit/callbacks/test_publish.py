import event_model
import numpy as np
import pytest

from msc_plans.callbacks.publish import publish_run


def test_a_run_of_one_event_is_valid_and_reaches_all_listeners():
    seen, also = [], []
    uid = publish_run(
        [lambda *item: seen.append(item), lambda *item: also.append(item)],
        {"purpose": "suggestion"},
        {"ratio": 0.1, "number": 3, "reason": "because", "spectrum": np.arange(4.0), "nothing": float("nan")},
        units={"ratio": "1"},
    )
    assert [name for name, _ in seen] == ["start", "descriptor", "event", "stop"]
    assert [name for name, _ in also] == [name for name, _ in seen]
    for name, document in seen:
        event_model.schema_validators[event_model.DocumentNames[name]].validate(document)
    assert seen[0][1]["uid"] == uid
    assert seen[1][1]["data_keys"]["spectrum"]["shape"] == [4]
    assert seen[1][1]["data_keys"]["ratio"]["units"] == "1"
    assert seen[2][1]["data"]["spectrum"] == [0.0, 1.0, 2.0, 3.0]


def test_a_failure_is_a_run_without_data_but_with_its_reason():
    seen = []
    publish_run([lambda *item: seen.append(item)], {}, {}, exit_status="fail", reason="no light")
    assert [name for name, _ in seen] == ["start", "stop"]
    assert (seen[1][1]["exit_status"], seen[1][1]["reason"]) == ("fail", "no light")


def test_a_value_of_an_unknown_kind_is_refused():
    with pytest.raises(TypeError, match="'odd' is a set"):
        publish_run([], {}, {"odd": {1, 2}})
