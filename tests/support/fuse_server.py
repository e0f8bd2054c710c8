"""A file system with nothing in it, to be mounted by tests: python fuse_server.py MOUNTPOINT.

Speaks as much of the FUSE protocol as a mount point needs (include/uapi/linux/fuse.h of the kernel): it has a root
folder, a size, and says that everything else does not exist. Stopped with SIGSTOP it hangs as a dead NFS server does.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys

BLOCKS, FREE, AVAILABLE, FILES, FILES_FREE, BLOCK_SIZE = 1000, 400, 300, 64, 32, 4096

_GETATTR, _STATFS, _INIT, _FORGET, _INTERRUPT = 3, 17, 26, 2, 36
_ROOT = 1


def main(mountpoint: str) -> None:
    device = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={device},rootmode=40755,user_id=0,group_id=0,allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tests", mountpoint.encode(), b"fuse.tests", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount", mountpoint)
    print("mounted", flush=True)
    while True:
        try:
            request = os.read(device, 1 << 20)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return  # unmounted
            raise
        _length, operation, unique, node = struct.unpack_from("<IIQQ", request)
        if operation not in (_FORGET, _INTERRUPT):
            status, body = _answer(operation, node)
            os.write(device, struct.pack("<IiQ", 16 + len(body), -status, unique) + body)


def _answer(operation: int, node: int) -> tuple[int, bytes]:
    if operation == _INIT:
        # major, minor, max_readahead, flags, max_background, congestion_threshold, max_write, time_gran and the rest
        return 0, struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 1, 1, 4096, 1, 0, 0, 0)
    if operation == _STATFS:
        return 0, struct.pack("<5QIII4x24x", BLOCKS, FREE, AVAILABLE, FILES, FILES_FREE, BLOCK_SIZE, 255, BLOCK_SIZE)
    if operation == _GETATTR and node == _ROOT:
        attributes = struct.pack("<6Q10I", _ROOT, 0, 0, 0, 0, 0, 0, 0, 0, stat.S_IFDIR | 0o755, 2, 0, 0, 0, 4096, 0)
        return 0, struct.pack("<QII", 0, 0, 0) + attributes
    return errno.ENOSYS if operation not in (1, _GETATTR) else errno.ENOENT, b""


if __name__ == "__main__":
    main(sys.argv[1])
