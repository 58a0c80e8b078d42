"""Record interfaces as tables: three kinds of record, each tied to a model's attribute or method.

:class:`Setting`
    a setpoint and its readback; a put is checked (interlock, finite, limits), clamped to DRVL/DRVH as an
    EPICS output record does, handed to the model, and answered when the model has taken it.
:class:`Reading`
    a read-only record that follows an attribute of the model.
:class:`Command`
    a record that calls a method of the model when anything but 0 is put.

:func:`serve` makes a caproto ``PVGroup`` of such a table; its ``publish`` brings every record up to date
with its model, also where the model changed by itself (an interlock, the end of a collection).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from caproto import AlarmSeverity, AlarmStatus, CaprotoRuntimeError, CaprotoValueError
from caproto.server import (
    PVGroup,
    PvpropertyChar,
    PvpropertyDouble,
    PvpropertyEnum,
    PvpropertyInteger,
    pvproperty,
)
from caproto.server.server import get_record_class

__all__ = ["Command", "Reading", "RecordGroup", "Setting", "serve"]


@dataclass(frozen=True)
class Setting:
    """A setpoint record and its readback.

    Attributes
    ----------
    name : str
        Record name below the group's prefix.
    attribute : str
        The model's attribute; setting it may raise ValueError, which refuses the put.
    doc : str
        ``.DESC``, at most 40 characters.
    choices : tuple of str
        Makes both records enumerations; the attribute then holds the string.
    limits : (low, high), optional
        Drive limits (DRVL, DRVH).
    readback : str
        Suffix of the readback record; empty for none.
    always : bool
        The put is taken under a tripped interlock too.
    chars : int
        Makes a text an array of at most so many characters, as areaDetector's paths are.
    completes : str
        A coroutine method of the model: the put is answered when it returns, or refused when it raises ValueError.
        As a busy record: the put starts something, the record goes back by itself.
    """

    name: str
    attribute: str
    doc: str
    kind: type = float
    choices: tuple[str, ...] = ()
    units: str = ""
    precision: int = 3
    limits: tuple[float, float] | None = None
    readback: str = ":RBV"
    always: bool = False
    chars: int = 0
    completes: str = ""


@dataclass(frozen=True)
class Reading:
    """A read-only record; ``length`` makes it a waveform of doubles, ``chars`` an array of characters, ``alarm``
    names a model attribute that holds the record's severity, by the name of a caproto ``AlarmSeverity``.
    """

    name: str
    attribute: str
    doc: str
    kind: type = float
    choices: tuple[str, ...] = ()
    units: str = ""
    precision: int = 3
    length: int = 0
    chars: int = 0
    alarm: str = ""


@dataclass(frozen=True)
class Command:
    """A record that calls ``model.method()`` on any put but 0 and falls back to 0."""

    name: str
    method: str
    doc: str
    readback: str = ":RBV"
    always: bool = False


Spec = Setting | Reading | Command


class RecordGroup(PVGroup):
    """What :func:`serve` returns; ``pvdb`` holds the records.

    Attributes
    ----------
    model : Any
        The object behind the records.
    refusal : callable
        Returns why puts are refused now, or an empty string.
    """

    model: Any
    refusal: Callable[[], str]
    links: list[tuple[str, str, str, Any]]

    async def publish(self) -> None:
        """Write every record whose model attribute has changed since it was last written."""
        for record, attribute, alarm, convert in self.links:
            value = getattr(self.model, attribute)
            severity = getattr(self.model, alarm) if alarm else "NO_ALARM"
            seen = self._seen.get(record)
            if seen is not None and seen[1] == severity and _same(seen[0], value):
                continue
            self._seen[record] = (value, severity)
            channel = getattr(self, record)
            status = AlarmStatus.NO_ALARM if severity == "NO_ALARM" else AlarmStatus.STATE
            await channel.write(convert(value), verify_value=False, status=status, severity=AlarmSeverity[severity])

    def __init__(self, prefix: str, *, model: Any, refusal: Callable[[], str]) -> None:
        self.model = model
        self.refusal = refusal
        self._seen: dict[str, tuple[Any, str]] = {}
        super().__init__(prefix)


def _same(old: Any, new: Any) -> bool:
    return old is new or (not isinstance(new, np.ndarray) and old == new)


class _Lazy:
    """A record whose fields (``.EGU``, ``.DESC`` …) are made when one is asked for.

    caproto makes some 75 objects a record at once; for all records that is seconds and 50 MB.
    """

    field_inst: Any
    fields: dict[str, Any]
    name: str

    def __init__(self, *, fields_of: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._fields_of = fields_of
        self.reported_record_type = fields_of

    def get_field(self, field: str) -> Any:
        """Return a field by its name; KeyError if there is none."""
        if self.field_inst is None and field not in ("", "VAL"):
            self.field_inst = get_record_class(self._fields_of)(prefix="", parent=self, name=f"{self.name}.fields")
            self.fields = self.field_inst.pvdb
            _fill_fields(self)
        return super().get_field(field)  # type: ignore[misc]


class _ReadDouble(_Lazy, PvpropertyDouble):
    pass


class _ReadInteger(_Lazy, PvpropertyInteger):
    pass


class _ReadEnum(_Lazy, PvpropertyEnum):
    pass


class _ReadText(_Lazy, PvpropertyChar):
    pass


class _Checked(_Lazy):
    """A record that a client may put to: refused while the interlock is tripped."""

    always = False
    group: Any
    pvname: str

    async def write_from_dbr(self, *args: Any, **kwargs: Any) -> Any:
        reason = "" if self.always else self.group.refusal()
        if reason:
            raise CaprotoRuntimeError(f"{self.pvname}: put refused, {reason}")
        return await super().write_from_dbr(*args, **kwargs)  # type: ignore[misc]


class _Clamped(_Checked):
    """As an EPICS output record: a number outside DRVL…DRVH becomes the nearer of the two."""

    lower_ctrl_limit: float
    upper_ctrl_limit: float

    async def verify_value(self, value: Any) -> Any:
        value = np.asarray(value).ravel()[0]
        if not math.isfinite(value):
            raise CaprotoValueError(f"{self.pvname}: {value} is not a finite number")
        low, high = self.lower_ctrl_limit, self.upper_ctrl_limit
        if low != high:
            value = min(max(value, low), high)
        return await super().verify_value(type(self.value)(value))  # type: ignore[misc, attr-defined]


class _Double(_Clamped, PvpropertyDouble):
    pass


class _Integer(_Clamped, PvpropertyInteger):
    pass


class _Enum(_Checked, PvpropertyEnum):
    async def write_from_dbr(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().write_from_dbr(data, *args, **kwargs)
        except CaprotoValueError as error:
            # caproto says nothing at all about a string that is none of the choices
            raise CaprotoValueError(str(error) or self._unknown(data)) from None

    async def verify_value(self, value: Any) -> Any:
        choice = value[0] if isinstance(value, (list, tuple, np.ndarray)) else value
        if not isinstance(choice, str):
            if not 0 <= int(choice) < len(self.enum_strings):
                raise CaprotoValueError(self._unknown(choice))
            choice = self.enum_strings[int(choice)]
        return await super().verify_value(choice)

    def _unknown(self, choice: Any) -> str:
        return f"{self.pvname}: {choice!r} is none of {', '.join(self.enum_strings)}"


class _Action(_Checked, PvpropertyInteger):
    pass


class _Text(_Checked, PvpropertyChar):
    async def verify_value(self, value: Any) -> Any:
        # C clients send the NUL too
        return await super().verify_value(value.split("\0")[0])


class _AlwaysDouble(_Double):
    always = True


class _AlwaysAction(_Action):
    always = True


def _number_metadata(spec: Setting | Reading) -> dict[str, Any]:
    meta: dict[str, Any] = {"units": spec.units}
    if spec.kind is float:
        meta["precision"] = spec.precision
    limits = spec.limits if isinstance(spec, Setting) else None
    if limits:
        low, high = (spec.kind(limit) for limit in limits)
        meta |= {"lower_ctrl_limit": low, "upper_ctrl_limit": high}
        meta |= {"lower_disp_limit": low, "upper_disp_limit": high}
    return meta


def _text_form(spec: Setting | Reading, long_string: str) -> dict[str, Any]:
    if spec.chars:
        return {"max_length": spec.chars, "fields_of": "waveform", "string_encoding": "utf-8"}
    return {"max_length": 256, "report_as_string": True, "fields_of": long_string}


def _reading_property(spec: Setting | Reading, name: str, value: Any) -> Any:
    # An alarm group of its own: by default caproto shares one alarm among all records of a group.
    common: dict[str, Any] = {"name": name, "doc": spec.doc, "read_only": True, "alarm_group": name}
    if spec.choices:
        return pvproperty(dtype=_ReadEnum, enum_strings=list(spec.choices), value=value, fields_of="mbbi", **common)
    if spec.kind is str:
        return pvproperty(dtype=_ReadText, value=value, **_text_form(spec, "lsi"), **common)
    length = spec.length if isinstance(spec, Reading) else 0
    if length:
        return pvproperty(
            dtype=_ReadDouble, value=list(value), max_length=length, fields_of="waveform",
            units=spec.units, precision=spec.precision, **common,
        )  # fmt: skip
    dtype, record = (_ReadInteger, "longin") if spec.kind is int else (_ReadDouble, "ai")
    return pvproperty(dtype=dtype, value=spec.kind(value), fields_of=record, **_number_metadata(spec), **common)


def _setting_property(spec: Setting, value: Any) -> Any:
    async def put(self: Any, instance: Any, value: Any) -> Any:
        try:
            setattr(self.model, spec.attribute, value)
        except ValueError as error:
            raise CaprotoValueError(f"{instance.pvname}: {error}") from None
        await self.publish()
        if spec.completes:
            try:
                await getattr(self.model, spec.completes)()
            except ValueError as error:
                raise CaprotoValueError(f"{instance.pvname}: {error}") from None
            finally:
                await self.publish()
        return getattr(self.model, spec.attribute)

    common: dict[str, Any] = {"name": spec.name, "doc": spec.doc, "put": put, "alarm_group": spec.name}
    if spec.choices:
        return pvproperty(dtype=_Enum, enum_strings=list(spec.choices), value=value, fields_of="mbbo", **common)
    if spec.kind is str:
        return pvproperty(dtype=_Text, value=value, **_text_form(spec, "lso"), **common)
    if spec.kind is int:
        dtype, record = _Integer, "longout"
    else:
        dtype, record = (_AlwaysDouble if spec.always else _Double), "ao"
    return pvproperty(dtype=dtype, value=spec.kind(value), fields_of=record, **_number_metadata(spec), **common)


def _command_property(spec: Command) -> Any:
    async def put(self: Any, instance: Any, value: Any) -> Any:
        if int(np.asarray(value).ravel()[0]):
            try:
                getattr(self.model, spec.method)()
            except ValueError as error:
                raise CaprotoValueError(f"{instance.pvname}: {error}") from None
            await self.publish()
        return 0

    return pvproperty(
        name=spec.name, doc=spec.doc, put=put, value=0, fields_of="longout",
        dtype=_AlwaysAction if spec.always else _Action,
    )  # fmt: skip


def serve(prefix: str, table: Sequence[Spec], model: Any, refusal: Callable[[], str]) -> RecordGroup:
    """Make the records of a table over a model.

    Parameters
    ----------
    prefix : str
        Prefix of all records, e.g. ``"MSC:Oven:Growth:"``.
    table : sequence of Setting, Reading or Command
        The records.
    model : object
        Has every attribute and method that the table names.
    refusal : callable
        Returns why puts are refused now, or an empty string.
    """
    members: dict[str, Any] = {}
    links: list[tuple[str, str, str, Any]] = []

    def link(record: str, spec: Setting | Reading) -> None:
        convert = list if isinstance(spec, Reading) and spec.length else (str if spec.choices else spec.kind)
        links.append((record, spec.attribute, getattr(spec, "alarm", ""), convert))

    for number, spec in enumerate(table):
        record = f"r{number:03d}"
        if isinstance(spec, Command):
            members[record] = _command_property(spec)
            if spec.readback:
                members[f"{record}_rbv"] = pvproperty(
                    name=spec.name + spec.readback, doc=spec.doc, value=0, read_only=True, fields_of="longin",
                    dtype=_ReadInteger,
                )  # fmt: skip
            continue
        value = getattr(model, spec.attribute)
        if isinstance(spec, Setting):
            members[record] = _setting_property(spec, value)
            link(record, spec)
            if spec.readback:
                members[f"{record}_rbv"] = _reading_property(spec, spec.name + spec.readback, value)
                link(f"{record}_rbv", spec)
        else:
            members[record] = _reading_property(spec, spec.name, value)
            link(record, spec)
    group = type("RecordTable", (RecordGroup,), members)(prefix, model=model, refusal=refusal)
    group.links = links
    return group


def _fill_fields(channel: Any) -> None:
    """Give the fields of a record the metadata that caproto serves with its value only, or not at all."""
    channel.fields["DESC"]._data["value"] = channel.__doc__
    for field, attribute in (
        ("EGU", "units"),
        ("PREC", "precision"),
        ("DRVL", "lower_ctrl_limit"),
        ("DRVH", "upper_ctrl_limit"),
    ):
        if hasattr(channel, attribute) and field in channel.fields:
            channel.fields[field]._data["value"] = getattr(channel, attribute)
