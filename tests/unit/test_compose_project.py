"""Which services compose files ask for, whatever they hold besides."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mailserver_exporter.host import Host
from mailserver_exporter.sources import SourceError
from mailserver_exporter.sources.compose_project import Memory, Project, read


def project(folder: Path, files: dict[str, str], config_files: tuple[str, ...] = ()) -> Project:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return read(Host("/"), str(folder), config_files, Memory())


def test_every_service_of_the_file_is_expected(tmp_path: Path) -> None:
    found = project(tmp_path / "Mail.Server", {"docker-compose.yml": "services: {postfix: {image: x}, dovecot: }"})
    assert found == Project("mailserver", frozenset({"postfix", "dovecot"}), frozenset(), frozenset())


def test_a_profile_counts_only_when_it_is_switched_on(tmp_path: Path) -> None:
    text = "services: {a: {}, b: {profiles: [debug]}, c: {profiles: [extra]}}"
    found = project(tmp_path, {"compose.yaml": text, ".env": "COMPOSE_PROFILES=debug,other\n"})
    assert (found.services, found.optional) == ({"a", "b"}, {"c"})
    found = project(tmp_path, {".env": "COMPOSE_PROFILES=*"})
    assert found.services == {"a", "b", "c"}


@pytest.mark.parametrize(
    "setting", ["scale: 0", "deploy: {replicas: 0}", "scale: '${COUNT}'", "scale: '${OTHER:-0}'", "scale: $COUNT"]
)
def test_a_service_scaled_to_nothing_is_not_expected(tmp_path: Path, setting: str) -> None:
    text = f"services: {{a: {{}}, b: {{ {setting} }}}}"
    assert project(tmp_path, {"compose.yaml": text, ".env": "COUNT=0\n"}).services == {"a"}


def test_a_count_that_cannot_be_known_is_one(tmp_path: Path) -> None:
    assert project(tmp_path, {"compose.yaml": "services: {a: {scale: '${FROM_THE_SHELL}'}}"}).services == {"a"}


def test_services_that_others_wait_for_run_once(tmp_path: Path) -> None:
    text = """
services:
  app: {depends_on: {migrate: {condition: service_completed_successfully}, db: {condition: service_healthy}}}
  web: {depends_on: [db]}
  migrate: {}
  db: {}
"""
    found = project(tmp_path, {"compose.yaml": text})
    assert found.once == {"migrate"}
    assert found.services == {"app", "web", "migrate", "db"}


def test_the_override_beside_the_file_is_read_too(tmp_path: Path) -> None:
    files = {
        "docker-compose.yml": "services: {a: {}, b: {}, c: {profiles: [x]}}",
        "docker-compose.override.yml": "services: {b: {scale: 0}, c: {profiles: !reset []}, d: {}}",
        "compose.other.yml": "services: {never: {}}",
    }
    assert project(tmp_path, files).services == {"a", "c", "d"}


def test_the_env_file_names_the_files_and_the_project(tmp_path: Path) -> None:
    files = {
        ".env": "COMPOSE_FILE=one.yml:sub/two.yml\nCOMPOSE_PROJECT_NAME=mailcowdockerized\n",
        "one.yml": "services: {a: {}}",
        "sub/two.yml": "services: {b: {}}",
        "compose.yaml": "services: {never: {}}",
    }
    found = project(tmp_path, files)
    assert (found.name, found.services) == ("mailcowdockerized", {"a", "b"})


def test_files_that_compose_was_given_are_the_only_ones(tmp_path: Path) -> None:
    files = {"a.yml": "name: given\nservices: {a: {}}", "compose.yaml": "services: {never: {}}"}
    found = project(tmp_path, files, ("a.yml",))
    assert (found.name, found.services) == ("given", {"a"})


def test_included_files_bring_their_services(tmp_path: Path) -> None:
    files = {
        "compose.yaml": "include: [sub/one.yml, {path: [sub/two.yml]}]\nservices: {a: {}}",
        "sub/one.yml": "include: [deep.yml]\nservices: {b: {}}",
        "sub/two.yml": "services: {c: {}}",
        "sub/deep.yml": "services: {d: {}}",
    }
    assert project(tmp_path, files).services == {"a", "b", "c", "d"}


def test_anchors_and_extends_carry_settings_but_add_no_service(tmp_path: Path) -> None:
    files = {
        "compose.yaml": """
x-off: &off {scale: 0}
services:
  merged: {<<: [{image: x}, *off]}
  own: {<<: *off, scale: 2}
  base: {profiles: [debug]}
  derived: {extends: {service: base}}
  other: {extends: {file: common.yml, service: hidden}}
""",
        "common.yml": "services: {hidden: {profiles: [debug]}, unused: {}}",
    }
    found = project(tmp_path, files)
    assert (found.services, found.optional) == ({"own"}, {"base", "derived", "other"})


def test_a_merged_mapping_of_services_counts(tmp_path: Path) -> None:
    text = "x-all: &all {a: {}, b: {}}\nservices: {<<: *all, c: {}}"
    assert project(tmp_path, {"compose.yaml": text}).services == {"a", "b", "c"}


def bomb() -> str:
    lines = ["x0: &x0 {k: v}"]
    lines += [f"x{n}: &x{n} {{<<: [{', '.join([f'*x{n - 1}'] * 9)}]}}" for n in range(1, 30)]
    return "\n".join([*lines, "services: {<<: *x29, a: {<<: *x29}}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("services: [\n", "compose.yaml:2 is not valid YAML"),
        ("- a\n- b", "is not a mapping"),
        ("", "is not a mapping"),
        ("\x00", "is not valid YAML"),
        ("services: *nothing", "is not valid YAML"),
        ("include: [compose.yaml]", "deeper than 20"),
        ("services: {" + ", ".join(f"s{n}: {{}}" for n in range(900)) + "}\ninclude: [more.yml]", "more than 1000"),
        ("#" * 1_000_001, "larger than"),
        ("a: " + "[" * 50_000, "nested deeper than 100"),
        ("".join(" " * n + "a:\n" for n in range(500)), "nested deeper than 100"),
        ("- " * 10_000, "nested deeper than 100"),
        (bomb(), "too many aliases"),
    ],
)
def test_what_is_no_compose_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    more = "services: {" + ", ".join(f"t{n}: {{}}" for n in range(900)) + "}"
    with pytest.raises(SourceError, match=message):
        project(tmp_path, {"compose.yaml": text, "more.yml": more})


@pytest.mark.parametrize(
    "text",
    [
        "services: {a: &a {<<: *a}}",
        "services: &s {a: {}, <<: *s}",
        "services: {a: {extends: {service: a}}}",
        "services: {a: {extends: a, depends_on: 5, profiles: 7, deploy: [], scale: {}}}",
        "services: {a: {extends: {file: compose.yaml, service: b}}}",
        "services: {[1, 2]: {}, a: {}}\ninclude: 5\nname: []",
    ],
)
def test_a_hostile_file_is_read_in_no_time(tmp_path: Path, text: str) -> None:
    started = time.monotonic()
    try:
        found = project(tmp_path, {"compose.yaml": text}).services
    except OSError:
        found = frozenset("a")  # include of a file called 5
    assert "a" in found
    assert time.monotonic() - started < 1


def test_files_are_read_again_only_when_one_of_them_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = Memory()
    (tmp_path / "compose.yaml").write_text("services: {a: {}}")

    def services() -> frozenset[str]:
        return read(Host("/"), str(tmp_path), (), memory).services

    assert services() == {"a"}
    stat = (tmp_path / "compose.yaml").stat()
    (tmp_path / "compose.yaml").write_text("services: {b: {}}")
    os.utime(tmp_path / "compose.yaml", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert services() == {"a"}, "the stamp says that nothing changed"
    changes: list[Callable[[], object]] = [
        lambda: (tmp_path / "compose.yaml").write_text("services: {b: {}, c: {}}"),
        lambda: (tmp_path / "compose.override.yaml").write_text("services: {d: {}}"),
        lambda: (tmp_path / ".env").write_text("COMPOSE_FILE=e.yml"),
    ]
    wanted = [{"b", "c"}, {"b", "c", "d"}]
    for change, expected in zip(changes, wanted, strict=False):
        change()
        assert services() == expected
    changes[2]()
    for _ in range(2):
        with pytest.raises((OSError, SourceError)):
            services()
    (tmp_path / "e.yml").write_text("services: {e: {}}")
    assert services() == {"e"}


def test_a_directory_without_a_compose_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no compose file"):
        project(tmp_path, {"other.yml": ""})


def test_links_on_the_host_are_followed_below_its_root(tmp_path: Path) -> None:
    root = tmp_path / "host"
    (root / "opt/mail").mkdir(parents=True)
    (root / "srv").mkdir()
    (root / "srv/mail").symlink_to("/opt/mail")
    (root / "opt/mail/mailcow.conf").write_text("COMPOSE_PROJECT_NAME=mailcowdockerized\n")
    (root / "opt/mail/.env").symlink_to("mailcow.conf")
    (root / "opt/mail/docker-compose.yml").write_text("services: {postfix-mailcow: {}}")

    found = read(Host(str(root)), "/srv/mail", (), Memory())

    assert found == Project("mailcowdockerized", frozenset({"postfix-mailcow"}), frozenset(), frozenset())
