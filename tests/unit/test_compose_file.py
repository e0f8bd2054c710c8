"""What compose.yml promises for every service, and that .env.example explains every setting."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.support.tools import ROOT

COMPOSE = (ROOT / "compose/compose.yml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
ENVIRONMENT = (ROOT / "compose/.env.example").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_can_do_little_and_takes_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert re.fullmatch(r"\d+m", service["mem_limit"])
    assert service["logging"]["options"] == {"max-size": "5m", "max-file": "3"}


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_listens_on_the_hosts_loopback_only(name: str) -> None:
    service = SERVICES[name]
    assert service["network_mode"] == "host"
    assert "ports" not in service
    if name != "render":
        assert "127.0.0.1" in str(service.get("command", "")) + str(service["environment"])
        assert service["healthcheck"]["test"]
        assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version_that_does_not_move(name: str) -> None:
    default = re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-([^}]+)\}", SERVICES[name]["image"])
    assert default
    assert re.search(r":(v?\d+\.\d+\.\d+|local)$", default[1])


def test_what_the_exporter_sees_of_the_host_it_cannot_change() -> None:
    assert "/:/host:ro,rslave" in SERVICES["exporter"]["volumes"]
    assert SERVICES["exporter"]["cap_add"] == ["DAC_READ_SEARCH"]
    assert not [volume for name in SERVICES for volume in SERVICES[name]["volumes"] if "docker.sock" in volume]


def test_grafana_is_started_only_when_asked_for() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["grafana"]


def test_grafana_is_told_where_prometheus_listens_and_where_its_dashboards_are() -> None:
    provisioning = ROOT / "grafana/provisioning"
    [source] = yaml.safe_load((provisioning / "datasources/prometheus.yml").read_text())["datasources"]
    variable = source["url"].removeprefix("$")
    assert SERVICES["grafana"]["environment"][variable] == "http://127.0.0.1:${PROMETHEUS_PORT:-9090}"
    [provider] = yaml.safe_load((provisioning / "dashboards/mailserver.yml").read_text())["providers"]
    assert f"../grafana/dashboards:{provider['options']['path']}:ro" in SERVICES["grafana"]["volumes"]


def test_the_example_explains_every_setting_with_its_default() -> None:
    used = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE))
    assert used
    assert not re.findall(r"\$\{[A-Z_]+\}|\$[A-Z_]+", COMPOSE), "a setting without a default"
    explained = dict(re.findall(r"^#([A-Z_]+)=(.*)$", ENVIRONMENT, re.MULTILINE))
    explained.pop("COMPOSE_PROFILES")
    assert explained == used
