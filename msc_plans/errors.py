"""The error of bad input, which commands and sessions report in one line."""

__all__ = ["InputError"]


class InputError(Exception):
    """Something that was asked for can't be done as asked: one line that names the value and what to do.

    Commands print it without a traceback and end with exit code 2; IPython shows the line alone.
    """

    def _render_traceback_(self) -> list[str]:
        # IPython asks an exception for this in place of its traceback
        return [str(self)]
