"""The seccomp filter of the sandbox: what a program there has no business asking the kernel for.

A classic BPF program as bubblewrap takes it (`--seccomp`, linux/filter.h, linux/seccomp.h), in the machine's byte
order. It denies memory that no limit counts (memfd, System V and POSIX queues), new namespaces and mounts, the memory
of other processes, keys, kernel interfaces that had many holes, and every address family but Unix and IP: a network
namespace does not hold AF_VSOCK.
"""

from __future__ import annotations

import platform
import struct
from types import MappingProxyType

_AUDIT = MappingProxyType({"x86_64": 0xC000003E, "aarch64": 0xC00000B7})
_COLUMN = MappingProxyType({"x86_64": 0, "aarch64": 1})

DENIED = MappingProxyType(
    {
        "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194), "semget": (64, 190),
        "msgget": (68, 186), "mq_open": (240, 180), "io_uring_setup": (425, 425), "ptrace": (101, 117),
        "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
        "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
        "perf_event_open": (298, 241), "userfaultfd": (323, 282), "mount": (165, 40), "umount2": (166, 39),
        "pivot_root": (155, 41), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
        "fsconfig": (431, 431), "fsmount": (432, 432), "mount_setattr": (442, 442), "unshare": (272, 97),
        "setns": (308, 268), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
        "finit_module": (313, 273), "delete_module": (176, 106), "open_by_handle_at": (304, 265),
        "name_to_handle_at": (303, 264), "personality": (135, 92), "syslog": (103, 116), "acct": (163, 89),
        "reboot": (169, 142), "swapon": (167, 224), "swapoff": (168, 225), "quotactl": (179, 60),
    }
)  # fmt: skip
"""System calls by number on x86_64 and aarch64 (asm/unistd_64.h, asm-generic/unistd.h)."""
_CLONE, _CLONE3, _SOCKET = (56, 220), (435, 435), (41, 198)
_NEW_NAMESPACES = 0x7E020000
_FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6: the last two reach the loopback of an empty network namespace, and nothing else."""

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH, _FIRST = 0, 4, 16
_ALLOW, _KILL, _EPERM, _ENOSYS = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026


def known() -> bool:
    """Whether this machine's system calls are in the tables."""
    return platform.machine() in _AUDIT


def program() -> bytes:
    """The filter for this machine. KeyError when it is not `known`."""
    machine = platform.machine()
    column = _COLUMN[machine]
    made = [_step(_LOAD, _ARCH), _step(_EQUAL, _AUDIT[machine], 1, 0), _step(_RETURN, _KILL), _step(_LOAD, _NUMBER)]
    # The x32 calls of x86_64 have numbers of their own.
    made += [_step(_AT_LEAST, 0x40000000, 0, 1), _step(_RETURN, _ENOSYS)]
    for numbers in DENIED.values():
        made += [_step(_EQUAL, numbers[column], 0, 1), _step(_RETURN, _EPERM)]
    # clone3 hides its flags behind a pointer; the C library falls back to clone.
    made += [_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _ENOSYS)]
    made += [_step(_EQUAL, _CLONE[column], 0, 4), _step(_LOAD, _FIRST), _step(_ANY_BIT, _NEW_NAMESPACES, 0, 1)]
    made += [_step(_RETURN, _EPERM), _step(_RETURN, _ALLOW)]
    made += [_step(_EQUAL, _SOCKET[column], 0, len(_FAMILIES) + 2), _step(_LOAD, _FIRST)]
    made += [_step(_EQUAL, family, len(_FAMILIES) - i, 0) for i, family in enumerate(_FAMILIES)]
    made += [_step(_RETURN, _EPERM), _step(_RETURN, _ALLOW)]
    return b"".join(made)


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """One instruction: where to jump on yes and on no, counted from the next one."""
    return struct.pack("=HBBI", code, yes, no, value)
