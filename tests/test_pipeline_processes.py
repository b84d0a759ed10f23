"""How many calls run at the same time: what a container may take counts, not what the host has."""

from pathlib import Path

import pytest

from warmline.processes import cores, jobs_at_once, memory_limit_gb


def system(top: Path, cgroups: str, **files: str) -> Path:
    """A folder that looks like the root of a Linux system with these control files."""
    (top / "proc/self").mkdir(parents=True)
    (top / "proc/self/cgroup").write_text(cgroups)
    for name, text in files.items():
        path = top / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return top


V1 = "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n"
CASES = {
    "no cgroups": ("", {}, None),
    "v2, half a core": ("0::/\n", {"cpu.max": "50000 100000\n", "memory.max": "2000000000\n"}, 2.0),
    "v2, above it": (
        "0::/a/b\n",
        {
            "a/b/cpu.max": "max 100000",
            "a/cpu.max": "100000 100000",
            "a/b/memory.max": "max",
            "a/memory.max": "3000000000",
        },
        3.0,
    ),
    "v1": (
        V1,
        {
            "cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "70000",
            "cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
            "memory/docker/abc/memory.limit_in_bytes": "1000000000",
        },
        1.0,
    ),
    "v1, seen from inside": (
        V1,
        {
            "cpu/cpu.cfs_quota_us": "100000",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
        None,
    ),
    "v1, no quota": (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
}


@pytest.mark.parametrize("name", CASES)
def test_limits_of_a_container(tmp_path: Path, name: str) -> None:
    cgroups, files, limit_gb = CASES[name]
    there = system(tmp_path, cgroups, **files)
    unlimited = name in {"no cgroups", "v1, no quota"}
    assert cores(there) == (cores(tmp_path / "nowhere") if unlimited else 1)
    assert memory_limit_gb(there) == limit_gb


def test_a_quota_of_several_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(16)), raising=False)
    assert cores(system(tmp_path, "0::/\n", **{"cpu.max": "350000 100000"})) == 3
    assert cores(tmp_path / "nowhere") == 16


@pytest.mark.parametrize(
    ("wanted", "pending", "available", "limit_gb", "jobs"),
    [
        (0, 100, 8, None, 8),
        (0, 3, 8, None, 3),
        (0, 100, 8, 4.0, 2),
        (0, 100, 8, 0.5, 1),
        (0, 0, 8, None, 1),
        (5, 100, 8, 4.0, 5),
    ],
)
def test_processes_fit_in_time_and_memory(
    wanted: int, pending: int, available: int, limit_gb: float | None, jobs: int
) -> None:
    assert jobs_at_once(wanted, pending, available, limit_gb) == jobs
