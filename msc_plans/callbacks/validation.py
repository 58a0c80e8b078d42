"""Documents checked against their schemas by compiled code: RunEngine checks every descriptor, some 25 ms each."""

from collections.abc import Mapping
from typing import Any

import event_model
import jsonschema_rs

from msc_plans.patches import Patch, applies

__all__ = ["PATCH", "QuickValidator", "validate_quickly"]

PATCH = Patch(
    name="event-model: validators",
    package="event-model",
    versions=">=1.22,<2",
    targets=("event_model:schema_validators", "event_model:schemas"),
    kind="speed",
    test="tests/unit/callbacks/test_validation.py::test_descriptors_are_checked_by_compiled_code",
    fault=(
        "RunEngine validates every document with jsonschema in pure Python; a descriptor of some 40 data keys takes "
        "25 ms on the RunEngine's thread. Validate with a compiled validator (jsonschema-rs) first, and ask "
        "jsonschema only about what that refuses or does not know."
    ),
)


class QuickValidator:
    """A validator of `event_model` that asks ``jsonschema-rs`` first.

    What that finds invalid, or does not know, such as arrays of numpy, the original validator decides and says.

    Parameters
    ----------
    schema : mapping
        JSON schema.
    thorough : validator of ``jsonschema``
        The original.
    """

    def __init__(self, schema: Mapping[str, Any], thorough: Any) -> None:
        self._compiled = jsonschema_rs.validator_for(dict(schema))
        self._thorough = thorough

    def __getattr__(self, name: str) -> Any:
        return getattr(self._thorough, name)

    def validate(self, document: Mapping[str, Any]) -> None:
        """Check a document.

        Raises
        ------
        jsonschema.ValidationError
            It is not as its schema says.
        """
        try:
            if self._compiled.is_valid(document):
                return
        except ValueError:
            pass
        self._thorough.validate(document)


def validate_quickly() -> None:
    """Let `event_model`, and so RunEngine, check documents quickly in this process; idempotent."""
    if not applies(PATCH):
        return
    for name, thorough in event_model.schema_validators.items():
        if not isinstance(thorough, QuickValidator):
            event_model.schema_validators[name] = QuickValidator(event_model.schemas[name], thorough)
