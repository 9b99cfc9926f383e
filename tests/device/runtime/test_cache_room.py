"""Room in the page cache, from what the kernel says of the system and of control groups."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_experts.runtime.memory import cache_room

MB = 10**6
MEMINFO = "MemTotal:       8000000 kB\nMemAvailable:   4000000 kB\nHugePages_Total: 0\n"


def _system(root: Path, cgroup: str, files: Mapping[str, str]) -> Path:
    written = {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup, **files}
    for name, content in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def _version_1(most: int, used: int, cache: int, shared: int) -> dict[str, str]:
    return {
        "memory.limit_in_bytes": f"{most}\n",
        "memory.usage_in_bytes": f"{used}\n",
        "memory.stat": f"cache 1\ntotal_cache {cache}\ntotal_shmem {shared}\n",
    }


def _version_2(most: object, used: int, file: int, shared: int) -> dict[str, str]:
    return {
        "memory.max": f"{most}\n",
        "memory.current": f"{used}\n",
        "memory.stat": f"anon 5\nfile {file}\nshmem {shared}\n",
    }


def _in(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"sys/fs/cgroup/{folder}/{name}": content for name, content in files.items()}


@pytest.mark.parametrize(
    ("cgroup", "files", "room"),
    [
        ("", {}, 4096 * MB),
        ("0::/\n", {}, 4096 * MB),
        # 500 MB of limit, 450 used, of which 100 are pages of files that can be dropped.
        (
            "4:cpu,memory:/a\n0::/\n",
            _in("memory/a", _version_1(500 * MB, 450 * MB, 130 * MB, 30 * MB)),
            150 * MB,
        ),
        ("0::/a/b\n", _in("a/b", _version_2(500 * MB, 450 * MB, 130 * MB, 30 * MB)), 150 * MB),
        ("0::/a\n", _in("unified/a", _version_2(9 * MB, 4 * MB, 0, 0)), 5 * MB),
        # The group above has less.
        (
            "0::/a/b\n",
            _in("a/b", _version_2("max", 0, 0, 0)) | _in("a", _version_2(90 * MB, 80 * MB, 0, 0)),
            10 * MB,
        ),
        # In a container the path is that of the host, and the group is at the top.
        ("0::/docker/1\n", _in("", _version_2(70 * MB, 50 * MB, 20 * MB, 0)), 40 * MB),
        ("0::/a\n", _in("a", _version_2(5 * MB, 9 * MB, 0, 0)), 0),
        ("0::/a\n", _in("a", _version_2("nonsense", 9 * MB, 0, 0)), 4096 * MB),
        ("0::/a\n", _in("a", {"memory.max": "5", "memory.current": "1"}), 4096 * MB),
        ("nonsense\n::\n0::/../..\n", {}, 4096 * MB),
    ],
)
def test_the_least_of_the_system_and_its_groups(
    tmp_path: Path, cgroup: str, files: dict[str, str], room: int
) -> None:
    assert cache_room.read(_system(tmp_path, cgroup, files)) == room


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    assert cache_room.read(tmp_path) is None


def test_this_system(tmp_path: Path) -> None:
    found = cache_room.read()
    assert found is None or found > 0
