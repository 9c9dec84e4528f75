"""`python -m kubemend`."""

from __future__ import annotations

from kubemend.app import main

main()
