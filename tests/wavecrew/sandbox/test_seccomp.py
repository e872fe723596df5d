"""The filter is run here by an interpreter of the few BPF instructions it uses, so that both
machines' programs are checked on either; that the kernel takes it is shown by the attacks."""

from __future__ import annotations

import errno
import struct

import pytest

from wavecrew.sandbox.seccomp import _NUMBERS, program

X86, ARM = 0xC000003E, 0xC00000B7
MACHINES = {"x86_64": (X86, 0), "aarch64": (ARM, 1)}
ALLOW, KILL = 0x7FFF0000, 0x80000000


def verdict(code: bytes, arch: int, number: int, *args: int) -> int:
    data = struct.pack("<IIQ6Q", number, arch, 0, *args, *[0] * (6 - len(args)))
    steps = list(struct.iter_unpack("<HBBI", code))
    at = value = 0
    while True:
        kind, then, otherwise, k = steps[at]
        at += 1
        match kind:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, k)
            case 0x54:
                value &= k
            case 0x06:
                return int(k)
            case _:
                holds = {
                    0x15: value == k,
                    0x25: value > k,
                    0x35: value >= k,
                    0x45: bool(value & k),
                }[kind]
                at += then if holds else otherwise


def refused_with(machine: str, name: str, *args: int, shared_host: bool = False) -> int | None:
    """The errno, None when the call is allowed."""
    arch, column = MACHINES[machine]
    number = _NUMBERS[name][column]
    assert number is not None
    found = verdict(program(machine, shared_host=shared_host), arch, number, *args)
    return None if found == ALLOW else found - 0x00050000


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_is_not_named_is_allowed(machine: str) -> None:
    arch = MACHINES[machine][0]
    for shared_host in (False, True):
        code = program(machine, shared_host=shared_host)
        assert verdict(code, arch, 0) == ALLOW
        assert verdict(code, arch, 439) == ALLOW


def test_another_machines_calls_kill(machine: str) -> None:
    for arch in (X86, ARM, 0x40000003, 0):
        expected = ALLOW if arch == MACHINES[machine][0] else KILL
        assert verdict(program(machine), arch, 0) == expected
    assert verdict(program("x86_64"), X86, 0x40000000) == KILL
    assert verdict(program("x86_64"), X86, 0x40000000 + 39) == KILL


@pytest.mark.parametrize(
    "name",
    [
        "ptrace",
        "process_vm_readv",
        "keyctl",
        "bpf",
        "perf_event_open",
        "userfaultfd",
        "io_uring_setup",
        "io_uring_enter",
        "mount",
        "umount2",
        "move_mount",
        "open_tree",
        "fsopen",
        "mount_setattr",
        "setns",
        "unshare",
        "pivot_root",
    ],
)
@pytest.mark.parametrize("shared_host", [False, True])
def test_the_kernels_attack_surface_is_refused(machine: str, name: str, shared_host: bool) -> None:
    assert refused_with(machine, name, shared_host=shared_host) == errno.EPERM


def test_the_c_library_falls_back_from_what_does_not_exist(machine: str) -> None:
    assert refused_with(machine, "clone3") == errno.ENOSYS
    assert refused_with(machine, "memfd_create") == errno.ENOSYS


@pytest.mark.parametrize("bit", range(32))
def test_clone_makes_threads_and_processes_but_no_namespace(machine: str, bit: int) -> None:
    namespaces = {17, 25, 26, 27, 28, 29, 30}
    expected = errno.EPERM if bit in namespaces else None
    assert refused_with(machine, "clone", 1 << bit) == expected
    assert refused_with(machine, "clone", 1 << bit | 0x11) == expected


def test_typing_into_the_terminal_is_refused(machine: str) -> None:
    assert refused_with(machine, "ioctl", 0, 0x5412) == errno.EPERM
    assert refused_with(machine, "ioctl", 0, 0x541C) == errno.EPERM
    assert refused_with(machine, "ioctl", 0, 0x5412 | 1 << 32) == errno.EPERM
    assert refused_with(machine, "ioctl", 0, 0x5413) is None


def test_only_four_families_of_sockets_exist(machine: str) -> None:
    allowed = {1, 2, 10, 16}
    for family in range(64):
        expected = None if family in allowed else errno.EAFNOSUPPORT
        assert refused_with(machine, "socket", family, 1, 0) == expected, family
    assert refused_with(machine, "socket", 16, 3, 12) == errno.EAFNOSUPPORT
    assert refused_with(machine, "socket", 2, 1, 6) is None


def test_no_file_gets_a_privileged_bit(machine: str) -> None:
    create, tmpfile, plain = 0o101, 0o20200002, 0
    for shared_host in (False, True):
        for flags, expected in ((create, errno.EPERM), (tmpfile, errno.EPERM), (plain, None)):
            found = refused_with(machine, "openat", 0, 0, flags, 0o4755, shared_host=shared_host)
            assert found == expected
        assert refused_with(machine, "openat", 0, 0, create, 0o755, shared_host=shared_host) is None
        found = refused_with(machine, "mknodat", 0, 0, 0o104755, shared_host=shared_host)
        assert found == errno.EPERM
    assert refused_with(machine, "fchmodat", 0, 0, 0o4755) == errno.EPERM
    assert refused_with(machine, "fchmod", 0, 0o2755) is None
    arch, column = MACHINES[machine]
    fchmod = _NUMBERS["fchmod"][column]
    assert fchmod is not None
    assert verdict(program(machine, as_root=True), arch, fchmod, 0, 0o2755) != ALLOW


def test_shared_memory_segments_are_small(machine: str) -> None:
    assert refused_with(machine, "shmget", 0, 56) is None
    assert refused_with(machine, "shmget", 0, 65536) is None
    assert refused_with(machine, "shmget", 0, 65537) == errno.EPERM
    assert refused_with(machine, "shmget", 0, 1 << 32) == errno.EPERM


def test_on_a_shared_host_there_are_only_socket_pairs_that_stay_pairs(machine: str) -> None:
    for family in range(64):
        found = refused_with(machine, "socket", family, 1, shared_host=True)
        assert found == errno.EAFNOSUPPORT
    nonblocking = 0o2004000
    for kind, expected in ((1, None), (5, None), (2, errno.EPERM), (3, errno.EPERM)):
        for flags in (0, nonblocking):
            found = refused_with(machine, "socketpair", 1, kind | flags, shared_host=True)
            assert found == expected
    assert refused_with(machine, "connect", shared_host=True) == errno.EPERM


def test_on_a_shared_host_limits_and_priorities_of_others_are_not_touched(machine: str) -> None:
    for name in ("prlimit64", "sched_setaffinity", "sched_setscheduler"):
        assert refused_with(machine, name, 0, shared_host=True) is None
        assert refused_with(machine, name, 4711, shared_host=True) == errno.EPERM
    assert refused_with(machine, "setpriority", 0, 0, shared_host=True) is None
    assert refused_with(machine, "setpriority", 0, 4711, shared_host=True) == errno.EPERM


def test_on_a_shared_host_attributes_change_without_effect(machine: str) -> None:
    for name in ("fchmodat", "fchownat", "utimensat", "setxattr"):
        assert refused_with(machine, name, shared_host=True) == 0
        assert refused_with(machine, name) is None


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(LookupError, match="riscv64"):
        program("riscv64")


def test_every_jump_stays_inside_the_program(machine: str) -> None:
    steps = list(struct.iter_unpack("<HBBI", program(machine, shared_host=True)))
    assert len(steps) < 4096
    for at, (_, then, otherwise, _) in enumerate(steps):
        assert at + max(then, otherwise) < len(steps)
