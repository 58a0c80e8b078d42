"""Documents are found valid or not as event_model's own validators find them, whichever is asked first."""

import jsonschema
import numpy as np
import pytest
from event_model import DocumentNames, compose_run, schema_validators, schemas

from msc_plans.callbacks.validation import QuickValidator, validate_quickly

KEY = {"source": "x", "dtype": "number", "shape": [], "units": "degC"}


def descriptor(**parts):
    stream = compose_run().compose_descriptor(name="primary", data_keys={"a": dict(KEY)}, validate=False)
    return {**stream.descriptor_doc, **parts}


@pytest.mark.parametrize(
    ("document", "valid"),
    [
        (descriptor(), True),
        (descriptor(time="noon"), False),
        (descriptor(data_keys={"a": {**KEY, "dtype": "quaternion"}}), False),
        (descriptor(data_keys={"a": {"source": "x"}}), False),
        (descriptor(data_keys={"a": {**KEY, "shape": (2, 3), "dtype": "array"}}), True),
        (descriptor(configuration={"d": {"data": {"a": np.arange(3), "b": float("nan")}}}), True),
        (descriptor(configuration={"d": {"data": {"a": np.float64(1.0)}, "timestamps": {"a": np.float64(2.0)}}}), True),
        (descriptor(data_keys={"a": {**KEY, "shape": np.array([1, 2])}}), False),
    ],
)
def test_it_decides_as_the_original_does_and_in_its_words(document, valid):
    thorough = schema_validators[DocumentNames.descriptor]
    quick = QuickValidator(schemas[DocumentNames.descriptor], thorough)
    if valid:
        thorough.validate(document)
        quick.validate(document)
        return
    said = []
    for validator in (thorough, quick):
        with pytest.raises(jsonschema.ValidationError) as caught:
            validator.validate(document)
        said.append(caught.value.message)
    assert said[0] == said[1]


def test_descriptors_are_checked_by_compiled_code(monkeypatch):
    for name, validator in schema_validators.items():
        monkeypatch.setitem(schema_validators, name, getattr(validator, "_thorough", validator))
    thorough = schema_validators[DocumentNames.descriptor]
    asked = []
    monkeypatch.setattr(type(thorough), "validate", lambda self, document: asked.append(document))
    validate_quickly()
    validate_quickly()
    run = compose_run()
    run.compose_descriptor(name="primary", data_keys={"a": dict(KEY)}, validate=True)
    assert asked == []
    schema_validators[DocumentNames.descriptor].validate({"uid": 1})
    assert asked == [{"uid": 1}], "what compiled code refuses the original decides"
