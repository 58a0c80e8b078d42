"""Documents checked against their schemas by compiled code: RunEngine checks every descriptor, some 25 ms each."""

from collections.abc import Mapping
from typing import Any

import event_model
import jsonschema_rs

__all__ = ["QuickValidator", "validate_quickly"]


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
    for name, thorough in event_model.schema_validators.items():
        if not isinstance(thorough, QuickValidator):
            event_model.schema_validators[name] = QuickValidator(event_model.schemas[name], thorough)
