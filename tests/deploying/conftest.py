from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_experts.deploying import Outcome, deploy
from edge_experts.updates import signing
from tests.tiny import tiny_bundle

from .sshd import Board, Server, require

ROOT = ".local/share/edge-experts"  # in a home folder
_PORT = 8123

Deploy = Callable[..., Outcome]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    require()
    with Server(tmp_path_factory.mktemp("sshd")) as one:
        yield one


@pytest.fixture(scope="session")
def go(server: Server) -> Deploy:
    """Deploy to one board of the server, without the benchmark; an error is in the outcome."""

    def deploy_one(bundle: Path, board: str, **options: object) -> Outcome:
        given = {"ssh": server.ssh, "benchmark": False, **options}
        (outcome,) = deploy(bundle, [board], **given)  # type: ignore[arg-type]
        return outcome

    return deploy_one


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "my.key"
    signing.keygen(path)
    return path


@pytest.fixture(scope="session")
def everything(key: Path) -> dict[str, object]:
    """What the server and signatures take goes along too: wheels are fetched once for all tests."""
    return {"unit": _PORT, "trust": [key.with_suffix(".key.pub")]}


@pytest.fixture(scope="session")
def first(
    server: Server,
    go: Deploy,
    key: Path,
    everything: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Board, Outcome]:
    """A board with an environment of all that tests need, made by its first deployment."""
    board = server.board("pi")
    # What is left of one whose power was lost.
    (board.home / ROOT / "environments/half/bin").mkdir(parents=True)
    bundle = tiny_bundle(tmp_path_factory.mktemp("first") / "tiny.bundle")
    signing.sign(bundle, key)
    outcome = go(bundle, "pi", name="signed", **everything)
    assert outcome.error is None, outcome.error
    return board, outcome


@pytest.fixture(scope="session")
def pi(first: tuple[Board, Outcome]) -> Board:
    return first[0]


def tree(folder: Path) -> dict[str, int]:
    """Every file below a folder, and when it was written."""
    return {
        str(path.relative_to(folder)): path.lstat().st_mtime_ns
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts and not path.is_dir()
    }
