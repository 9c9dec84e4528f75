"""`kubemend version`."""

from __future__ import annotations

import platform

from rich.text import Text

from kubemend import __version__
from kubemend.surfaces.cli import output as out
from kubemend.surfaces.cli.options import Output


def version(*, output: Output = "table") -> int:
    """The version of kubemend and of the Python it runs on."""
    out.answer(
        output,
        {"kubemend": __version__, "python": platform.python_version(), "platform": platform.platform()},
        Text(f"kubemend {__version__} (Python {platform.python_version()})"),
    )
    return 0
