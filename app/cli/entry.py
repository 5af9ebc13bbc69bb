"""The `landcast` command: runs a command and turns its errors into exit codes."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence

import typer

from app.cli.commands import app
from app.cli.failures import is_wrong_name, sentence_of
from app.cli.printing import PlainFormatter, one_line
from preprocessing.errors import RequestError

__all__ = ["main", "run"]

_RESUMED = ("forecast", "upscale", "train")
_DONE, _FAILED, _WRONG_REQUEST, _INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Entry point of the `landcast` command."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Args:
        arguments: What follows `landcast` on the command line.

    Returns:
        0 done, 2 the request is wrong, 1 anything else, 130 stopped from the keyboard. Errors are
        one sentence on stderr; with `--debug` other failures show where they came from.
    """
    arguments = list(arguments)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(PlainFormatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, handlers=[log])
    if not debug:
        # GDAL warns of odd tags at each opening; what makes a file useless is an error of ours.
        logging.getLogger("rasterio").setLevel(logging.ERROR)
    # Here too: what threads do to the filters of warnings is seen by others.
    warnings.filterwarnings("ignore", message="Dataset has no geotransform")
    warnings.filterwarnings("ignore", message="SOCKS support in urllib3")
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="landcast", standalone_mode=False)
    except RequestError as err:
        return _say(str(err), _WRONG_REQUEST)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED
    except Exception as err:
        if _is_usage_error(err):
            return _say(_usage_message(err), _WRONG_REQUEST)
        if is_wrong_name(err):
            return _say(sentence_of(err), _WRONG_REQUEST)
        if debug:
            logging.getLogger("landcast").exception("the command failed")
            return _FAILED
        return _say(sentence_of(err), _FAILED)
    if code == _INTERRUPTED:  # Typer may turn the interrupt into this code itself
        return _say(_stopped(arguments), _INTERRUPTED)
    return code if isinstance(code, int) else _DONE


def _stopped(arguments: Sequence[str]) -> str:
    """That the command was stopped, and how to go on."""
    command = next((word for word in arguments if not word.startswith("-")), "")
    if command in _RESUMED:
        return f"stopped; go on with the same command and --resume ('{command}' keeps what is done)"
    if command == "fetch":
        return "stopped; the same command goes on with the years that are missing"
    return "stopped"


def _is_usage_error(err: Exception) -> bool:
    # Typer brings its own copy of Click in some versions: its public BadParameter knows the base.
    return isinstance(err, typer.BadParameter.__mro__[2])


def _usage_message(err: Exception) -> str:
    context = getattr(err, "ctx", None)
    where = context.command_path if context is not None else "landcast"
    message = str(err.format_message() if hasattr(err, "format_message") else err).rstrip(".")
    return f"{message or 'a command is missing'}; see '{where} --help'"


def _say(message: str, code: int) -> int:
    sys.stderr.write(f"landcast: {one_line(' '.join(message.split()))}\n")
    return code
