"""A systemd unit that serves a bundle over HTTP from boot on; it is not enabled here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

# `serve` switches to each newly deployed bundle without a restart.
_UNIT = """\
# Written by `edge-experts deploy --unit`; systemd knows nothing of it before you enable it.
[Unit]
Description=edge-experts: {name} over HTTP
After=network.target

[Service]
User={user}
ExecStart={program} serve {bundle} --port {port}
Restart=on-failure
RestartSec=5
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Unit:
    """A systemd unit.

    Attributes:
        path: on the board.
        text: content of the file.
        enable: the command that starts the unit, now and at each boot.
    """

    path: str
    text: str
    enable: str


def unit(host: str, user: str, root: str, name: str, port: int) -> Unit:
    """Build the unit that serves a deployed bundle on the board's network interfaces."""
    service = service_name(name)
    path = f"{root}/{service}"
    enable = (
        f"sudo cp {shlex.quote(path)} /etc/systemd/system/ && sudo systemctl daemon-reload && "
        f"sudo systemctl enable --now {service}"
    )
    text = _UNIT.format(
        name=name.replace("%", "%%"),
        user=user,
        program=_quoted(f"{root}/environment/bin/edge-experts"),
        bundle=_quoted(f"{root}/bundles/{name}"),
        port=port,
    )
    return Unit(path, text, f"ssh -t {host} {shlex.quote(enable)}")


def service_name(name: str) -> str:
    return f"edge-experts-{name}.service"


def restart(host: str, name: str) -> str:
    """Return the command that restarts a running server with a new environment."""
    return f"ssh -t {host} sudo systemctl restart {service_name(name)}"


def _quoted(path: str) -> str:
    """Quote a word of ExecStart (systemd.service(5), systemd.syntax(7))."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
