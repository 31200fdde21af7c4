"""Calls of the console script."""

import re
from pathlib import Path

from click.testing import CliRunner

from reports.cli import main


def call(*arguments: str | Path) -> tuple[int, str]:
    """Return exit code and output of a command, without its wrapping."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    code = result.return_value if result.exit_code == 0 else result.exit_code
    return int(code or 0), re.sub(r"\s+", " ", result.output)
