"""The example table sent to three boards behind a real ssh (minutes)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploying.conftest import ROOT
from tests.deploying.sshd import Board, Server, require

from .programs import Programs, shown

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def boards(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Server, dict[str, Board]]]:
    """The hosts of SITES.csv, each a login with a home folder."""
    require()
    with Server(tmp_path_factory.mktemp("sshd")) as server:
        names = ("test-bench", "library", "town-hall")
        yield server, {name: server.board(name) for name in names}


def test_a_table_updates_every_board(
    programs: Programs, boards: tuple[Server, dict[str, Board]]
) -> None:
    server, homes = boards
    table = programs.folder / "fleet/SITES.csv"
    # The user is that of the test's sshd.
    table.write_text(table.read_text("utf-8").replace("pi@", ""), encoding="utf-8")
    # Benchmarks of boards are those of tests/deploying; here they would take minutes.
    options = f"-e '{server.ssh}' --no-benchmark"
    dry, sent, status = (programs.run("fleet", f"{one} {options}") for one in shown("fleet"))
    assert "3 sites: 3 would be sent." in dry
    assert "3 sites: 3 updated." in sent
    assert (programs.folder / "fleet/sites.html").is_file()
    for name, bundle in zip(homes, ("translation", "help", "help"), strict=True):
        current = homes[name].home / ROOT / f"bundles/{bundle}/current/manifest.json"
        original = programs.folder / f"{bundle}.bundle/manifest.json"
        assert current.read_bytes() == original.read_bytes()
        assert name in status
