"""Bundles to boards over ssh, from the workstation: the system's own ssh and rsync.

What a board has afterwards, in a folder of its own (~/.local/share/edge-experts):

    environment -> environments/7c1f0e2b94aa   what runs; switched in one step
    environments/7c1f0e2b94aa/                 a virtual environment, by the digest of what went in
    wheels/                                    what it was made of, so that only new ones travel
    bundles/sentiment/                         what `edge-experts install` keeps
    staging/sentiment/                         what is on its way
    edge-experts-sentiment.service             a unit for systemd, where one was asked for
"""

from __future__ import annotations

from .deploy import deploy
from .outcome import Outcome

__all__ = ["Outcome", "deploy"]
