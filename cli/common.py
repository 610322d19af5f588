"""What all commands share: the wired process, errors as sentences, JSON."""

from __future__ import annotations

import functools
import gc
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import click

from crmsync.errors import ConfigError, CrmSyncError, LeaseTaken, UsageError

P = ParamSpec("P")
R = TypeVar("R")

USAGE = 2


def fail(error: CrmSyncError, status: int) -> None:
    """Say what is wrong and what to do, and end."""
    click.echo(f"Error: {error.message}", err=True)
    if error.next_step and not isinstance(error, ConfigError):
        click.echo(error.next_step, err=True)
    sys.exit(status)


def says_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our errors into a sentence and an exit status; no stack trace."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ConfigError, UsageError) as error:
            fail(error, USAGE)
        except LeaseTaken as error:
            fail(error, 3)
        except CrmSyncError as error:
            fail(error, 1)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(130)
        except BrokenPipeError:
            # The reader has gone (`| head`): nothing more to say.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        except (click.exceptions.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:
            if os.environ.get("CRM_SYNC_DEBUG"):
                raise
            click.echo(f"Error: this failed unexpectedly ({_short(error)}).", err=True)
            click.echo("Set CRM_SYNC_DEBUG=1 to see where, and report it.", err=True)
            sys.exit(1)
        raise AssertionError("fail() ends the process")

    return wrapped


def _short(error: Exception) -> str:
    """Return the first line of an error, without values that were bound to SQL."""
    text = str(getattr(error, "orig", error)) or type(error).__name__
    return text.splitlines()[0][:200]


@contextmanager
def app(*, level: str = "warning") -> Iterator[Any]:
    """Wire the process from the environment; close it at the end.

    Args:
        level: what is logged, to standard error: a command shows its results itself.
    """
    from crmsync import logs
    from crmsync.bootstrap import build
    from crmsync.config import load_config

    logs.configure(as_json=not sys.stderr.isatty(), level=level)
    wired = build(load_config())
    # A cycle makes millions of short-lived objects and next to no circles.
    gc.set_threshold(50_000, 20, 20)
    try:
        yield wired
    finally:
        wired.close()


def actor() -> str:
    """Return who runs the command, for the audit trail."""
    name = os.environ.get("SUDO_USER") or os.environ.get("USER") or "unknown"
    return f"command line ({name})"


def echo_json(value: Any) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(rows: list[list[str]], head: list[str]) -> None:
    """Print a plain table."""
    widths = [
        max(len(row[column]) for row in [head, *rows]) for column in range(len(head))
    ]
    for row in [head, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
