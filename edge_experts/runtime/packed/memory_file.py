"""Memory that has a path while it is opened: XNNPACK maps its packed weights from a file."""

from __future__ import annotations

import ctypes
import functools
import os

from ...errors import MachineError

_PROT_READ_WRITE, _MAP_SHARED, _MADV_DONTNEED = 3, 1, 4  # sys/mman.h
_FAILED = ctypes.c_void_p(-1).value


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    address, size = ctypes.c_void_p, ctypes.c_size_t
    libc.mmap.restype = address
    libc.mmap.argtypes = (address, size, *[ctypes.c_int] * 3, ctypes.c_long)
    libc.munmap.argtypes = (address, size)
    libc.madvise.argtypes = (address, size, ctypes.c_int)
    return libc


class MemoryFile:
    """A file in memory (memfd_create(2)), mapped for writing.

    It needs no descriptor once others have mapped it: a process may have a thousand of them, and
    `mmap.mmap` would keep one of each.

    Attributes:
        view: its bytes.

    Raises:
        MachineError: the system has no such files, or no memory.
    """

    def __init__(self, size: int):
        self._size, self._address, self._descriptor = size, None, -1
        try:
            self._descriptor = os.memfd_create("packed-expert", os.MFD_CLOEXEC)
            # All pages now: without memory, a write to the mapping would end the process.
            os.posix_fallocate(self._descriptor, 0, size)
        except (OSError, AttributeError) as error:
            self.close()
            raise MachineError(f"memory for a packed expert of {size:,} bytes: {error}") from None
        found = _libc().mmap(None, size, _PROT_READ_WRITE, _MAP_SHARED, self._descriptor, 0)
        if found == _FAILED:
            self.close()
            raise MachineError(f"memory for a packed expert of {size:,} bytes cannot be mapped")
        self._address = found
        self.view = memoryview((ctypes.c_char * size).from_address(found)).cast("B")

    def __del__(self) -> None:
        self.close()

    @property
    def path(self) -> str:
        """Path of the file, until `close_descriptor`."""
        return f"/proc/self/fd/{self._descriptor}"

    def close_descriptor(self) -> None:
        """Leave the file to those who mapped it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def unmap_pages(self) -> None:
        """Take the pages out of this mapping; the bytes stay.

        A page in two mappings counts twice in the process's memory.
        """
        _libc().madvise(self._address, self._size, _MADV_DONTNEED)

    def close(self) -> None:
        """Free the mapping; `view` must not be used any more."""
        self.close_descriptor()
        if self._address is not None:
            _libc().munmap(self._address, self._size)
            self._address = None
