"""Which system calls a command may make: a BPF program for x86_64 and aarch64.

Default is allow; what is refused is the kernel's attack surface (namespaces, mounts, tracing,
modules, io_uring, keys) and memory that no limit of ours would see. `program()` is the filter
behind bubblewrap's namespaces; `program(shared_host=True)` is the stricter one for a command that
shares pids, sockets and files with the host (Landlock). How it is loaded is the caller's matter.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000

_LOAD, _JEQ, _JGT, _JGE, _JSET, _AND, _RET = 0x20, 0x15, 0x25, 0x35, 0x45, 0x54, 0x06
_NR, _ARCH, _ARGS = 0, 4, 16

_NEW_NAMESPACES = 0x7E020000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_UNIX, _INET, _INET6, _NETLINK = 1, 2, 10, 16
_STREAM, _SEQPACKET = 1, 5
_SHM_BYTES = 65536


@dataclass(frozen=True)
class _Machine:
    audit: int
    column: int
    """Which of the two numbers in `_NUMBERS` is this machine's."""
    has_x32: bool = False


_MACHINES = {
    "x86_64": _Machine(0xC000003E, 0, has_x32=True),
    "aarch64": _Machine(0xC00000B7, 1),
}

# Name -> (x86_64, aarch64); None where the machine never had the call.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bind": (49, 200),
    "bpf": (321, 280),
    "chmod": (90, None),
    "chown": (92, None),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "clone3": (435, 435),
    "creat": (85, None),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "finit_module": (313, 273),
    "fremovexattr": (199, 16),
    "fsconfig": (431, 431),
    "fsetxattr": (190, 7),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "futimesat": (261, None),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "ioperm": (173, None),
    "iopl": (172, None),
    "ioprio_set": (251, 30),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lchown": (94, None),
    "lookup_dcookie": (212, 18),
    "lremovexattr": (198, 15),
    "lsetxattr": (189, 6),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "open": (2, None),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "openat": (257, 56),
    "openat2": (437, 437),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "prlimit64": (302, 261),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "removexattr": (197, 14),
    "removexattrat": (466, 466),
    "request_key": (249, 218),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "semget": (64, 190),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "setpriority": (141, 140),
    "settimeofday": (164, 170),
    "setxattr": (188, 5),
    "setxattrat": (463, 463),
    "shmget": (29, 194),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "utime": (132, None),
    "utimensat": (280, 88),
    "utimes": (235, None),
    "vhangup": (153, 58),
}

_REFUSED = (
    "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_getfd "
    "kcmp keyctl add_key request_key bpf perf_event_open userfaultfd fanotify_init "
    "memfd_secret io_uring_setup io_uring_enter io_uring_register mount umount2 pivot_root "
    "chroot open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick mount_setattr "
    "setns unshare open_by_handle_at kexec_load kexec_file_load init_module finit_module "
    "delete_module reboot swapon swapoff quotactl quotactl_fd acct settimeofday clock_settime "
    "clock_adjtime adjtimex sethostname setdomainname iopl ioperm modify_ldt uselib vhangup "
    "lookup_dcookie syslog move_pages migrate_pages"
)

# The C library and others fall back to an older way when these do not exist. clone3 and openat2
# hide their flags from a filter; files made by memfd_create hold memory that belongs to no process
# and so escapes a watch of their sizes.
_ABSENT = ("clone3", "openat2", "memfd_create")

# A file with the set-user-id bit in the tree would be one of the engine's user on the host.
_MODE_WHEN_CHANGED = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2}
_MODE_WHEN_MADE = {"creat": 1, "mknod": 1, "mknodat": 2}
_OPEN_FLAGS_AND_MODE = {"open": (1, 2), "openat": (2, 3)}
_MAY_CREATE = 0x400040  # O_CREAT, O_TMPFILE
_SET_USER_ID, _SET_GROUP_ID = 0o4000, 0o2000

_REFUSED_ON_SHARED_HOST = ("bind", "connect", "msgget", "semget", "shmget", "mq_open", "ioprio_set")

# Landlock does not see these, and they need no open file: they would reach every file of the user.
# They succeed without effect, because `cp`, `tar` and many libraries give up when they fail.
_WITHOUT_EFFECT = (
    "chmod fchmod fchmodat fchmodat2 chown fchown fchownat lchown utime utimes futimesat "
    "utimensat setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr "
    "removexattrat"
)

# First argument is a pid; anything but 0, the caller itself, would reach the host's processes.
_ONLY_ON_ITSELF = (
    "prlimit64",
    "sched_setaffinity",
    "sched_setattr",
    "sched_setparam",
    "sched_setscheduler",
)

Instruction = tuple[int, int, int, int]


def program(machine: str = "", *, shared_host: bool = False, as_root: bool = False) -> bytes:
    """The filter as an array of `struct sock_filter`.

    `machine` is as `uname -m` says it, this machine's when empty; LookupError for one that has no
    table here: an unknown machine gets no sandbox rather than a weaker one. `as_root`: files made
    here belong to the host's root, so that not even the set-group-id bit may be given (an ordinary
    user's shared folders need it).
    """
    name = machine or platform.machine()
    if name not in _MACHINES:
        raise LookupError(f"no system call table for {name!r}")
    code = _Filter(_MACHINES[name])
    code.refuse(_REFUSED.split(), errno.EPERM)
    code.refuse(_ABSENT, errno.ENOSYS)
    code.refuse_bits("clone", 0, _NEW_NAMESPACES)
    code.refuse_values("ioctl", 1, (_TIOCSTI, _TIOCLINUX))
    _privileged_modes(code, _SET_USER_ID | (_SET_GROUP_ID if as_root else 0), shared_host)
    if shared_host:
        _shared_host(code)
    else:
        code.refuse_above("shmget", 1, _SHM_BYTES)
        _sockets(code)
    return code.assembled()


def _privileged_modes(code: _Filter, bits: int, chmod_has_no_effect: bool) -> None:
    modes = _MODE_WHEN_MADE | ({} if chmod_has_no_effect else _MODE_WHEN_CHANGED)
    for name, mode in modes.items():
        code.refuse_bits(name, mode, bits)
    for name, (flags, mode) in _OPEN_FLAGS_AND_MODE.items():
        code.rule(
            name,
            [
                _load_arg(flags),
                _jump(_JSET, _MAY_CREATE, 0, 3),
                _load_arg(mode),
                _jump(_JSET, bits, 0, 1),
                _refusal(errno.EPERM),
            ],
        )


def _sockets(code: _Filter) -> None:
    families = [_jump(_JEQ, family, 4 - at, 0) for at, family in enumerate((_UNIX, _INET, _INET6))]
    code.rule(
        "socket",
        [
            _load_arg(0),
            *families,
            _jump(_JEQ, _NETLINK, 1, 0),
            _refusal(errno.EAFNOSUPPORT),
            _load_arg(0),
            _jump(_JEQ, _NETLINK, 1, 0),
            _ret(_ALLOW),
            _load_arg(2),
            _jump(_JEQ, 0, 1, 0),  # only NETLINK_ROUTE: `lo` and its addresses
            _refusal(errno.EAFNOSUPPORT),
        ],
    )


def _shared_host(code: _Filter) -> None:
    code.refuse(_REFUSED_ON_SHARED_HOST, errno.EPERM)
    code.refuse(["socket"], errno.EAFNOSUPPORT)
    # A datagram pair could still send to a socket file of the host by address.
    code.rule(
        "socketpair",
        [
            _load_arg(1),
            (_AND, 0, 0, 0xF),
            _jump(_JEQ, _STREAM, 2, 0),
            _jump(_JEQ, _SEQPACKET, 1, 0),
            _refusal(errno.EPERM),
        ],
    )
    for name in _ONLY_ON_ITSELF:
        code.refuse_other_than(name, 0, 0)
    code.refuse_other_than("setpriority", 1, 0)
    code.refuse(_WITHOUT_EFFECT.split(), 0)


class _Filter:
    def __init__(self, machine: _Machine) -> None:
        self._machine = machine
        self._code: list[Instruction] = [
            (_LOAD, 0, 0, _ARCH),
            _jump(_JEQ, machine.audit, 1, 0),
            _ret(_KILL),
            (_LOAD, 0, 0, _NR),
        ]
        if machine.has_x32:
            self._code += [_jump(_JGE, 0x40000000, 0, 1), _ret(_KILL)]

    def rule(self, name: str, body: list[Instruction]) -> None:
        """Run `body` for this call; a body that falls through allows it."""
        number = _NUMBERS[name][self._machine.column]
        if number is not None:
            whole = [*body, _ret(_ALLOW)]
            self._code += [_jump(_JEQ, number, 0, len(whole)), *whole]

    def refuse(self, names: Iterable[str], code: int) -> None:
        for name in names:
            number = _NUMBERS[name][self._machine.column]
            if number is not None:
                self._code += [_jump(_JEQ, number, 0, 1), _refusal(code)]

    def refuse_bits(self, name: str, argument: int, bits: int) -> None:
        self.rule(name, [_load_arg(argument), _jump(_JSET, bits, 0, 1), _refusal(errno.EPERM)])

    def refuse_values(self, name: str, argument: int, values: tuple[int, ...]) -> None:
        checks = [_jump(_JEQ, value, len(values) - at, 0) for at, value in enumerate(values)]
        self.rule(name, [_load_arg(argument), *checks, _ret(_ALLOW), _refusal(errno.EPERM)])

    def refuse_above(self, name: str, argument: int, most: int) -> None:
        """For sizes: both halves of the argument count."""
        self.rule(
            name,
            [
                _load_arg(argument, high=True),
                _jump(_JEQ, 0, 0, 2),
                _load_arg(argument),
                _jump(_JGT, most, 0, 1),
                _refusal(errno.EPERM),
            ],
        )

    def refuse_other_than(self, name: str, argument: int, value: int) -> None:
        self.rule(name, [_load_arg(argument), _jump(_JEQ, value, 1, 0), _refusal(errno.EPERM)])

    def assembled(self) -> bytes:
        return b"".join(struct.pack("<HBBI", *step) for step in [*self._code, _ret(_ALLOW)])


def _load_arg(index: int, *, high: bool = False) -> Instruction:
    return (_LOAD, 0, 0, _ARGS + 8 * index + (4 if high else 0))


def _jump(kind: int, value: int, then: int, otherwise: int) -> Instruction:
    return (kind, then, otherwise, value)


def _refusal(code: int) -> Instruction:
    return _ret(_ERRNO | code)


def _ret(value: int) -> Instruction:
    return (_RET, 0, 0, value)
