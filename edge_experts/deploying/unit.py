"""A unit for systemd, by which a board answers over HTTP from its start on; never enabled here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

# `serve` moves over to each newly deployed bundle by itself, so that nothing restarts it then.
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
    """Attributes:
    path: on the board.
    text: what is in it.
    enable: the command that has systemd start it, now and with the board.
    """

    path: str
    text: str
    enable: str


def unit(host: str, user: str, root: str, name: str, port: int) -> Unit:
    """The unit that serves a deployed bundle on the board's own network interface."""
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
    """The command that gives a running server a new environment."""
    return f"ssh -t {host} sudo systemctl restart {service_name(name)}"


def _quoted(path: str) -> str:
    """A word of ExecStart (systemd.service(5), systemd.syntax(7))."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
