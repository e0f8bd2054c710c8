"""A Docker Engine of our own: Debian's dockerd in a temporary folder, beside any other, leaving nothing behind.

No image registry is needed: the one image is made of busybox-static. There is no iptables rule and no change of a
sysctl either: containers reach each other and the host through a bridge of their own, and published ports go through
docker-proxy.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType

import docker
import docker.errors

from tests.support import tools
from tests.support.processes import Program, wait_for

# By absolute path: /usr/local may hold another client, and Debian's package is what is installed for the tests.
DOCKERD = "/usr/sbin/dockerd"
IMAGE = "mailserver-exporter/busybox:test"
_BRIDGE = "mse-docker"
_ADDRESS = "10.213.0.1/24"
_POOL = "base=10.214.0.0/16,size=24"
_LOCK = Path(tempfile.gettempdir()) / "mailserver-exporter-dockerd.lock"


def docker_compose() -> str:
    """Return the path of sid's docker-compose, a program that needs no docker client; raises FetchError."""
    return str(tools.unpacked("docker-compose", "sid") / "usr/libexec/docker/cli-plugins/docker-compose")


class DockerEngine:
    """A running Docker Engine; only one at a time on a machine, others wait for it.

        with DockerEngine() as engine:
            engine.import_busybox()
            engine.client().containers.run(IMAGE, "sleep 1000", name="postfix", detach=True)

    Containers of the image die at once when stopped (its stop signal is SIGKILL), so that tests need not wait.
    ``inside`` is a command that runs another one, such as nsenter.
    """

    def __init__(self, inside: Sequence[str] = ()) -> None:
        self._inside = inside
        self.folder = Path(tempfile.mkdtemp(prefix="mse-docker-"))
        self.socket = self.folder / "docker.sock"
        self.cgroup = self.folder.name
        self._lock = _LOCK.open("w")
        self._program: Program | None = None
        self._client: docker.DockerClient | None = None
        self._frozen = False
        self._ours = False

    @property
    def host(self) -> str:
        """What DOCKER_HOST has to be for a client of this engine."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int:
        """The process id of the daemon; only while it runs."""
        assert self._program is not None
        return self._program.pid

    def client(self, timeout: float = 60) -> docker.DockerClient:
        """Return a client, the same one until the daemon is stopped."""
        if self._client is None:
            self._client = docker.DockerClient(base_url=self.host, timeout=timeout)
        return self._client

    def start(self) -> DockerEngine:
        """Start the daemon and wait until it answers; containers with a restart policy come back."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._ours = True
        self._make_bridge()
        command = [
            *self._inside,
            DOCKERD,
            *("--host", self.host, "--pidfile", self.folder / "dockerd.pid"),
            *("--data-root", self.folder / "data", "--exec-root", self.folder / "exec"),
            *("--config-file", self._empty_configuration()),
            *("--bridge", _BRIDGE, "--default-address-pool", _POOL),
            *("--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false"),
            *("--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", f"/{self.cgroup}"),
            *("--log-level", "warn", "--live-restore=false"),
        ]
        self._program = Program(command, self.folder / "dockerd.log", ready=self.answers, seconds=60).start()
        return self

    def stop(self) -> None:
        """Stop the daemon, and its containers with it; what it stored stays for the next start."""
        self.thaw()
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._program is not None:
            self._program.stop(seconds=30)
            self._program = None
        self._end_processes()
        self._unmount()
        for address in self.folder.glob("exec/containerd/daemon/*/*/*/address"):
            # Sockets of shims that were killed; they are outside our folder.
            Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)
        # As after a reboot: containerd does not come up again with the state of shims that were killed.
        shutil.rmtree(self.folder / "exec", ignore_errors=True)

    def freeze(self) -> None:
        """Stop the daemon in its tracks: connections are accepted by the kernel and never answered."""
        os.kill(self.pid, signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """Let a frozen daemon run on."""
        if self._frozen:
            os.kill(self.pid, signal.SIGCONT)
            self._frozen = False

    def answers(self) -> bool:
        """Say whether the daemon answers a ping."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
                return connection.recv(100).split()[1:2] == [b"200"]
            except OSError:
                return False

    def import_busybox(self, tag: str = IMAGE, stop_signal: str = "SIGKILL") -> str:
        """Make an image with every applet of Debian's busybox-static, and return its tag."""
        recipe = f'FROM scratch\nADD root.tar /\nENV PATH=/bin\nSTOPSIGNAL {stop_signal}\nCMD ["sleep", "1000000"]\n'
        context = _tar({"Dockerfile": recipe.encode(), "root.tar": _root_filesystem()})
        self.client().images.build(fileobj=io.BytesIO(context), custom_context=True, tag=tag, rm=True, forcerm=True)
        return tag

    def remove_containers(self) -> None:
        """Remove every container and every network that is not built in."""
        for container in self.client().containers.list(all=True, ignore_removed=True):
            with contextlib.suppress(docker.errors.NotFound, docker.errors.APIError):
                container.remove(force=True, v=True)
        self.client().networks.prune()

    def close(self) -> None:
        """Stop the daemon and remove all that it made."""
        try:
            if self._program is not None and self._program.running():
                self.thaw()
                if self.answers():
                    self.remove_containers()
            self.stop()
            self._remove_cgroups()
            if self._ours:
                # Whoever gave up waiting for the lock must not take the bridge from the one that holds it.
                _run("ip", "link", "delete", _BRIDGE)
            shutil.rmtree(self.folder)
        finally:
            self._lock.close()

    def __enter__(self) -> DockerEngine:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _empty_configuration(self) -> Path:
        """Return a configuration file with nothing in it, so that the machine's own daemon.json is not read."""
        file = self.folder / "daemon.json"
        file.write_text("{}")
        return file

    def _make_bridge(self) -> None:
        # One that a killed run has left over is taken as it is.
        _run("ip", "link", "add", _BRIDGE, "type", "bridge")
        _run("ip", "address", "replace", _ADDRESS, "dev", _BRIDGE)
        subprocess.run(["ip", "link", "set", _BRIDGE, "up"], check=True)

    def _end_processes(self) -> None:
        """Kill what a daemon that died by force has left: its containerd, the shims and the containers in them."""
        end = time.monotonic() + 20
        while ours := list(self._processes()):
            assert time.monotonic() < end, f"processes of the Docker Engine do not end: {ours}"
            for pid in ours:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def _processes(self) -> Iterator[int]:
        """Yield the processes in our cgroup and those whose command line names our folder."""
        for tasks in _cgroups(self.cgroup, "cgroup.procs"):
            with contextlib.suppress(OSError):
                yield from map(int, tasks.read_text().split())
        name = str(self.folder / "exec").encode()
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if name in (folder / "cmdline").read_bytes():
                        yield int(folder.name)

    def _unmount(self) -> None:
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        for mount in reversed(mounts):
            if mount.startswith(f"{self.folder}/"):
                _run("umount", "--lazy", mount)

    def _remove_cgroups(self) -> None:
        def gone() -> bool:
            for folder in sorted(_cgroups(self.cgroup, ""), key=lambda path: -len(path.parts)):
                with contextlib.suppress(OSError):
                    folder.rmdir()
            return not list(_cgroups(self.cgroup, ""))

        wait_for("the containers' cgroups are gone", gone, 10)


def _cgroups(name: str, file: str) -> Iterator[Path]:
    """Yield the folders of a cgroup and of those below it, in every hierarchy, or one file of each."""
    roots = [Path("/sys/fs/cgroup") / name, *Path("/sys/fs/cgroup").glob(f"*/{name}")]
    for root in roots:
        for folder, _, _ in os.walk(root):
            yield Path(folder) / file if file else Path(folder)


def _root_filesystem() -> bytes:
    busybox = shutil.which("busybox")
    assert busybox, "busybox is missing: install what tests/debian-packages.txt names"
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    files = {"bin/busybox": Path(busybox).read_bytes(), "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\n"}
    return _tar(files, links={f"bin/{applet}": "busybox" for applet in {*applets, "sh"} - {"busybox"}})


def _tar(files: Mapping[str, bytes], links: Mapping[str, str] = MappingProxyType({})) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
    return archive.getvalue()


def _run(*command: str) -> None:
    """Run a command whose failure does not matter, such as making what is there already."""
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
