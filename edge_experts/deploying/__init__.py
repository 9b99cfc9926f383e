"""Deployment of bundles to boards over ssh, by the workstation's own ssh and rsync.

A board has afterwards, in a separate folder (~/.local/share/edge-experts):

    environment -> environments/7c1f0e2b94aa   the current environment; switched in one step
    environments/7c1f0e2b94aa/                 a virtual environment, by the digest of its content
    wheels/                                    its wheels, so that only new ones are sent
    bundles/sentiment/                         the install root of `edge-experts install`
    staging/sentiment/                         files in transfer
    edge-experts-sentiment.service             a unit for systemd, if requested
"""

from __future__ import annotations

from .deployment import deploy
from .outcome import Outcome

__all__ = ["Outcome", "deploy"]
