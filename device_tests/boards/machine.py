"""Virtual machine of a board, with its own kernel, to measure only the program's memory.

User-mode emulation counts the emulator's own memory as the program's, about 2.4 times as much. In a
virtual machine the guest's kernel counts, as on a real board, and may run out of memory.
"""

from __future__ import annotations

import lzma
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_experts.errors import MachineError

from .building import built, cached, packages, run
from .kinds import Board

CPU = "cortex-a72"
_PACKAGES = ("linux-image-arm64", "busybox-static")
# Modules that the kernel needs to read its disks, in the order of their dependencies.
_MODULES = (
    *("crypto/crc32c_generic", "lib/crc16", "fs/mbcache", "fs/jbd2/jbd2", "fs/ext4/ext4"),
    *("drivers/virtio/virtio_mmio", "drivers/block/virtio_blk"),
)
_KERNEL = "console=ttyAMA0 quiet panic=-1 rdinit=/init"
_INIT = """#!/bin/sh
b=/bin/busybox
$b mount -t proc none /proc; $b mount -t sysfs none /sys; $b mount -t devtmpfs none /dev
for module in {modules}; do $b insmod /modules/$module.ko; done
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do $b usleep 50000; done
for disk in vda vdb; do # found in either order
    $b mount -t ext4 -o ro,noload /dev/$disk /$($b cat /sys/block/$disk/serial)
done
for place in proc sys dev; do $b mount --bind /$place /system/$place; done
for place in root run tmp; do $b mount -t tmpfs none /system/$place; done
$b mount --bind /job /system/mnt
$b chroot /system /bin/sh /mnt/job.sh < /dev/null
$b poweroff -f
"""
_DONE = re.compile(r"^@@ (\S+) (\d+)$")  # end of a step of the job, with its exit code
_PROJECT = Path(__file__).parents[2]
_ENVIRONMENT = (
    "export PYTHONPATH=/opt/site:/mnt/project:/mnt/extra\n"
    "export PYTHONDONTWRITEBYTECODE=1 PYTHONHASHSEED=0 HOME=/root LANG=C.UTF-8\n"
    "export PATH=/usr/bin:/bin\ncd /mnt/project\n"
)
SECONDS = 600  # limit of a job; most take a minute
# The guest's clock is then the number of instructions of its processor, in nanoseconds.
_COUNTED = ("-icount", "shift=0,align=off,sleep=off")


@dataclass(frozen=True)
class Step:
    """Output and exit code of a command; 137 is from the kernel, when memory is exhausted."""

    output: str
    code: int


def boot(
    board: Board,
    commands: Mapping[str, str],
    files: Mapping[str, Path],
    *,
    megabytes: int,
    cpu: str = CPU,
    is_counted: bool = False,
    seconds: int = SECONDS,
) -> dict[str, Step]:
    """Boot the board as a machine with so much memory, and run commands, one after the other.

    Args:
        commands: shell commands by name; their folder is the project's, and /root is in memory.
        files: files and folders to mount as /mnt/NAME, by name, read-only.
        is_counted: the machine's clock counts instructions: a nanosecond is one.
        seconds: limit of the whole job.

    Raises:
        MachineError: it did not boot, or a command never ended.
    """
    made_from = (built(board).name, _PACKAGES, _MODULES, _INIT)
    system = cached(f"machine-{board.name}", made_from, lambda folder: _build(board, folder))
    with tempfile.TemporaryDirectory(dir=system.parent) as name:
        folder = Path(name)
        job = folder / "job"
        job.mkdir()
        for part in ("edge_experts", "device_tests"):
            shutil.copytree(_PROJECT / part, job / "project" / part)
        for shown, path in files.items():
            (shutil.copytree if path.is_dir() else shutil.copy)(path, job / shown)
        steps = [
            f"( {command} ) 2>&1; code=$?; echo; echo '@@' {name} $code"
            for name, command in commands.items()
        ]
        (job / "job.sh").write_text(_ENVIRONMENT + "\n".join(steps) + "\n")
        _image(job, folder / "job.img")
        shutil.rmtree(job)
        options = ("-cpu", cpu, "-m", f"{megabytes}", *(_COUNTED if is_counted else ()))
        serial = _qemu(system, folder / "job.img", options, seconds)
    return _steps(serial, commands)


def _qemu(system: Path, job: Path, options: Sequence[str], seconds: int) -> str:
    """Run QEMU and return the output of the machine's serial port until it is switched off."""
    machine = ("qemu-system-aarch64", "-M", "virt", "-smp", "1", *options)
    quiet = ("-nodefaults", "-nographic", "-no-reboot", "-monitor", "none", "-serial", "stdio")
    kernel = ("-kernel", system / "vmlinuz", "-initrd", system / "initrd.gz", "-append", _KERNEL)
    try:
        done = subprocess.run(
            [*machine, *quiet, *kernel, *_disk(system / "system.img"), *_disk(job)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise MachineError(f"{machine[0]} is missing; .ci/run says how to install it") from None
    except subprocess.TimeoutExpired as error:
        last = (error.stdout or b"")[-500:].decode(errors="replace")
        raise MachineError(f"the machine did not finish in {seconds} s:\n{last}") from None
    if done.returncode:
        raise MachineError(f"QEMU failed: {done.stderr.decode(errors='replace')[-500:]}")
    return done.stdout.decode(errors="replace").replace("\r", "")


def _disk(image: Path) -> tuple[str, ...]:
    """Return options for a read-only disk that the guest knows by its name: "system" or "job"."""
    drive = f"file={image},format=raw,if=none,readonly=on,id={image.stem}"
    return ("-drive", drive, "-device", f"virtio-blk-device,drive={image.stem},serial={image.stem}")


def _steps(serial: str, commands: Mapping[str, str]) -> dict[str, Step]:
    found: dict[str, Step] = {}
    lines: list[str] = []
    for line in serial.splitlines():
        if (end := _DONE.match(line)) is None:
            lines.append(line)
        else:
            found[end[1]], lines = Step("\n".join(lines).strip(), int(end[2])), []
    if set(found) != set(commands):
        raise MachineError("the machine stopped early:\n" + "\n".join(lines[-15:]))
    return found


def _build(board: Board, folder: Path) -> None:
    """Build the kernel, a first root in memory that mounts the disks, and the system's disk."""
    packages(folder / "kernel", board.suite, board.processor.debian, _PACKAGES)
    (version,) = (folder / "kernel/lib/modules").iterdir()
    (image,) = (folder / "kernel/boot").glob("vmlinuz-*")
    shutil.move(image, folder / "vmlinuz")
    first = folder / "first"
    for place in ("bin", "dev", "job", "modules", "proc", "sys", "system"):
        (first / place).mkdir(parents=True)
    shutil.copy(folder / "kernel/bin/busybox", first / "bin/busybox")
    (first / "bin/sh").symlink_to("busybox")
    for module in _MODULES:
        _module(version / f"kernel/{module}.ko", first / "modules")
    names = " ".join(Path(module).name for module in _MODULES)
    (first / "init").write_text(_INIT.format(modules=names))
    (first / "init").chmod(0o755)
    pack = "find . | cpio --quiet -o -H newc | gzip -1 > ../initrd.gz"
    run("bash", "-c", f"set -o pipefail; cd '{first}' && {pack}")
    shutil.rmtree(folder / "kernel")
    shutil.rmtree(first)
    _image(built(board) / "root", folder / "system.img")


def _module(module: Path, folder: Path) -> None:
    """Copy a module; those of newer kernels are compressed."""
    compressed = module.with_name(f"{module.name}.xz")
    if compressed.exists():
        (folder / module.name).write_bytes(lzma.decompress(compressed.read_bytes()))
    else:
        shutil.copy(module, folder)


def _image(folder: Path, image: Path) -> None:
    """Build an ext4 file system with a folder's content, and little free space."""
    used = sum(path.lstat().st_size + 4096 for path in folder.rglob("*"))
    size = f"{used * 12 // 10240 + 16384}k"
    run("mke2fs", "-q", "-t", "ext4", "-m0", "-d", str(folder), str(image), size)
