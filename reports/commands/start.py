"""What to type, for who has typed no command yet."""

import click
from rich.console import Console

from reports.commands.console import CONSOLE_SCRIPT, as_typed, plain

FIRST = (
    ("invoke studies", "every question, what was found, and how long it takes here"),
    ("invoke ablate --study relu_vs_tanh --dry-run", "what a study would do; nothing is trained"),
    ("invoke ablate --study relu_vs_tanh", "Figure 1 on pictures in the package, in minutes"),
    ("invoke report --open", "the page of what you have trained"),
    ("invoke studies --name dropout", "one study explained"),
    ("invoke presets", "the networks that are called AlexNet, side by side"),
)
TO_CHANGE_CODE = ("invoke check", "format, lint, types, tests; needs pip install -e '.[dev]'")
BETWEEN = 3
"""Columns between a command and what it is for."""


def run(console: Console) -> None:
    """Print the first commands and what each is for."""
    root = click.get_current_context().find_root()
    is_script = root.info_name == CONSOLE_SCRIPT
    every = (f"{CONSOLE_SCRIPT} --help" if is_script else "invoke --list", "all commands")
    lines = [(as_typed(command), says) for command, says in (*FIRST, every)]
    if not is_script:
        lines.append(TO_CHANGE_CODE)
    plain(console, root.command.help or "")
    plain(console)
    wide = max(len(command) for command, _ in lines) + BETWEEN
    narrow = wide + max(len(says) for _, says in lines) > console.width and console.is_terminal
    for command, says in lines:
        if narrow:
            plain(console, command)
            plain(console, f"    {says}")
        else:
            plain(console, f"{command:<{wide}}{says}")
