"""What a queue needs before it starts: the folder of its startup code, and a served store."""

from contextlib import ExitStack
from pathlib import Path

from msc_plans.errors import InputError

__all__ = ["serve_store", "startup_folder"]


def startup_folder(told: Path | None) -> Path:
    """Return the folder of the startup code: as told, of the working directory, or the one that is installed.

    Raises
    ------
    InputError
        There is none.
    """
    places = [told] if told else [Path.cwd(), Path(__file__).resolve().parents[1]]
    for place in places:
        folder = place if told else place / "profile_collection" / "startup"
        if any(folder.glob("*.py")):
            return folder.resolve()
    raise InputError(f"there is no startup code in {places[0]}; name its folder with --profile")


def serve_store(folder: Path, stack: ExitStack) -> None:
    """Serve the store beside the worker, so that it outlives the environment; one served already is used."""
    from msc_plans.storage import StoreBusyError, TiledServer
    from msc_plans.storage.lock import read_holder

    server = TiledServer(folder)
    try:
        server.start()
    except StoreBusyError as error:
        holder = read_holder(folder)
        if holder is None or holder.uri is None:
            raise InputError(str(error)) from error
        return
    stack.callback(server.stop)
