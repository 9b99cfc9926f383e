"""Emulated boards: a Raspberry Pi's system and wheels on any x86 machine, by QEMU.

python -m device_tests.boards test arm64-bookworm sentiment.bundle
"""
