"""The settings, for a command: what is wrong with them is bad input."""

from typing import TYPE_CHECKING, Any

from msc_plans.cli import CommandError

if TYPE_CHECKING:
    from msc_plans.settings import Settings

__all__ = ["read_settings"]


def read_settings(**told: Any) -> "Settings":
    """Return the settings of the environment and of msc.toml.

    Parameters
    ----------
    **told
        What is to hold whatever these say.

    Raises
    ------
    CommandError
        msc.toml can't be read, or a value isn't allowed; the message says which, and where it stands.
    """
    import tomllib

    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from msc_plans.settings import SETTINGS_FILE, Settings

    try:
        return Settings(**told)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'settings'} = {_shown(one['input'])}: {one['msg']}"
            for one in error.errors()
        )
        raise CommandError(f"settings (MSC_…, {SETTINGS_FILE}): {problems}") from error
    except SettingsError as error:  # a variable of the environment that should be JSON
        raise CommandError(f"settings (MSC_…): {error}; nested values are set one by one, as MSC_SAXS__USE") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise CommandError(f"{SETTINGS_FILE}: can't be read as TOML: {error}") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
