"""Firmware for an emulated Cortex-M4 (mps2-an386): compiled, run, its instructions counted.

The emulator counts an instruction as a nanosecond; the timer of 25 MHz steps every 40 of them.
Files are those of this machine, by semihosting.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .compilers import compile_, compiler

RAM = 2**18
# Doubles in software: its float unit computes float32 only.
BOARD = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
FLAGS = (*BOARD, "-std=c99", "-O2", "-ffunction-sections", "-fdata-sections")
_START = """\
extern void _start(void);
extern unsigned char __stack[];
void reset(void) {
    *(volatile unsigned *)0xE000ED88 = 0xF00000u; /* the float unit */
    *(volatile unsigned *)0xE000E014 = 0xFFFFFFu; /* SysTick: from there down */
    *(volatile unsigned *)0xE000E010 = 5u;
    _start();
}
void *__dso_handle; /* of C++ */
void _init(void) {}
void _fini(void) {}
__attribute__((section(".vectors"), used)) const void *vectors[16] = {__stack, (void *)reset};
/* Instructions so far, of at most 671 million. */
unsigned instructions(void) { return (0xFFFFFFu - *(volatile unsigned *)0xE000E018) * 40u; }
"""
_LAYOUT = f"""\
MEMORY {{ FLASH (rx) : ORIGIN = 0, LENGTH = 4M
          RAM (rwx) : ORIGIN = 0x20000000, LENGTH = {RAM} }}
ENTRY(reset)
SECTIONS {{
    .text : {{ KEEP(*(.vectors)) *(.text* .rodata* .init .fini .eh_frame*) . = ALIGN(8); }} > FLASH
    .ARM.exidx : {{ *(.ARM.exidx*) }} > FLASH
    .init_array : {{ __init_array_start = .; KEEP(*(.init_array*)) __init_array_end = .;
        __preinit_array_start = .; __preinit_array_end = .;
        __fini_array_start = .; KEEP(*(.fini_array*)) __fini_array_end = .; }} > FLASH
    .data : {{ *(.data*) . = ALIGN(8); }} > RAM
    .bss : {{ __bss_start__ = .; *(.bss* COMMON) . = ALIGN(8); __bss_end__ = .; }} > RAM
    end = .; PROVIDE(__end__ = .);
    __stack = ORIGIN(RAM) + LENGTH(RAM);
}}
"""


@dataclass(frozen=True)
class Firmware:
    """A linked firmware.

    Attributes:
        path: of the ELF file.
        sizes: bytes of flash and of static RAM of a source file, by its name.
        total: the same of the firmware.
    """

    path: Path
    sizes: dict[str, tuple[int, int]]
    total: tuple[int, int]

    def run(self, seconds: float = 120) -> str:
        """Run it in its folder; returns what it prints."""
        done = subprocess.run(
            [compiler("qemu-system-arm"), "-M", "mps2-an386", "-nographic", "-monitor", "none",
             "-serial", "none", "-semihosting-config", "enable=on,target=native",
             "-icount", "shift=0", "-kernel", str(self.path.resolve())],
            capture_output=True, text=True, timeout=seconds, cwd=self.path.parent, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout


def firmware(folder: Path, main: str, cpp: Sequence[object] = ()) -> Firmware:
    """Compile the C files of a folder and a main function, which may call `instructions`.

    Args:
        cpp: options of the C++ compiler, and libraries, if the main function is C++.
    """
    (folder / "start.c").write_text(_START)
    (folder / ("main.cc" if cpp else "main.c")).write_text(main)
    (folder / "layout.ld").write_text(_LAYOUT)
    sizes, objects = {}, []
    for source in sorted(folder.glob("*.c")):
        objects.append(source.with_suffix(".o"))
        compile_("arm-none-eabi-gcc", *FLAGS, "-c", source, "-o", objects[-1])
        sizes[source.name] = _size(objects[-1])
    out = folder / "firmware.elf"
    linking = ("-nostartfiles", "--specs=rdimon.specs", "-T", folder / "layout.ld")
    last = ("-Wl,--gc-sections", _crt0(), "-lm", "-o", out)
    if cpp:
        compile_("arm-none-eabi-g++", *linking, folder / "main.cc", *objects, *cpp, *last)
    else:
        compile_("arm-none-eabi-gcc", *FLAGS, *linking, *objects, *last)
    return Firmware(out, sizes, _size(out))


def _size(path: Path) -> tuple[int, int]:
    """Flash and static RAM of an object or a firmware, bytes."""
    told = subprocess.run(
        [compiler("arm-none-eabi-size"), str(path)], capture_output=True, text=True
    ).stdout
    text, data, bss = map(int, re.findall(r"\d+", told.splitlines()[1])[:3])
    return text + data, data + bss


def _crt0() -> str:
    done = subprocess.run(
        [compiler("arm-none-eabi-gcc"), *BOARD, "-print-file-name=rdimon-crt0.o"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()
