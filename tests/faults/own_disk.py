"""A file system of a test's own: ext4 in a file, mounted by the kernel, which can be full, or found broken.

It takes root, and a loop device.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_LAST = 2**20
_FREEZE, _THAW = 0xC0045877, 0xC0045878  # FIFREEZE and FITHAW of linux/fs.h
_PROGRAMS = ("mkfs.ext4", "e2fsck", "mount", "umount", "findmnt")


class Disk:
    """What is mounted in `directory`, of `image`."""

    def __init__(self, image: Path, directory: Path) -> None:
        self.directory = directory
        self._image = image

    def mount(self) -> None:
        """Have the files there (again)."""
        _run("mount", "-o", "loop,errors=remount-ro", self._image, self.directory)

    def turn_read_only(self) -> None:
        """Let the kernel find an error, on which it takes no more writes, those to open files neither.

        Nobody writes at that moment: of a sync that is under way then Linux 6.18 may say that it succeeded, and lose what
        was written, whoever asked for it.
        """
        device = Path(_run("findmnt", "-n", "-o", "SOURCE", self.directory).strip()).name
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, _FREEZE, 0)
            Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a test")
            fcntl.ioctl(directory, _THAW, 0)
        finally:
            os.close(directory)

    def repair(self) -> None:
        """What an operator does then; whoever has a file open there must be about to end."""
        deadline = time.monotonic() + 30
        while subprocess.run(["umount", self.directory], check=False, capture_output=True).returncode:
            assert time.monotonic() < deadline, "somebody has a file open there"
            time.sleep(0.05)
        found = subprocess.run(["e2fsck", "-fy", self._image], check=False, capture_output=True)
        assert found.returncode in {0, 1}, found.stdout  # 1: errors, all corrected
        self.mount()

    @contextmanager
    def full(self) -> Iterator[None]:
        """Not a byte more can be written until the block ends."""
        found, path = os.statvfs(self.directory), self.directory / "taken"
        with path.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, found.f_bavail * found.f_frsize - _LAST))
            file.seek(0, os.SEEK_END)
            while True:
                os.write(file.fileno(), bytes(4_096))
        try:
            yield
        finally:
            path.unlink()


@contextmanager
def own_disk(directory: Path, size: int) -> Iterator[Disk]:
    """A disk of `size` bytes in an existing empty directory until the block ends, or the process."""
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0 or missing or not Path("/dev/loop-control").exists():
        pytest.skip(f"only root can have a disk of its own, with a loop device; programs missing: {missing}")
    with tempfile.NamedTemporaryFile(prefix="kms-disk-") as image:
        image.truncate(size)
        disk = Disk(Path(image.name), directory)
        _run("mkfs.ext4", "-q", "-m", "0", image.name)
        try:
            disk.mount()
        except subprocess.CalledProcessError as refused:
            pytest.skip(f"nothing can be mounted here: {refused.stderr}")
        (directory / "lost+found").rmdir()
        # Whatever becomes of the tests, the mount does not stay.
        guard = subprocess.Popen(["sh", "-c", 'read _; umount -l "$0"', directory], stdin=subprocess.PIPE)
        try:
            yield disk
        finally:
            guard.communicate()


def _run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
