"""Probes and metrics of a gateway, and the probe command with mutual TLS."""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import trustme
from cryptography import x509
from loupe.rpc.tls import TlsSettings
from loupe.settings import load
from prometheus_client.parser import text_string_to_metric_families

from gateway.events import StreamLimits
from tests.integration.gateway.installation import Installation, installation
from tests.support.services import service_process, told_port
from tests.support.waiting import DEADLINE_S, eventually


async def _probe(target: str, environment: Mapping[str, str]) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.kit.probe", target, "--timeout", "60"),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_one_service_away_takes_no_gateway_away(loupe: Installation, tmp_path: Path) -> None:
    """A load balancer that took all gateways out would take the other services out, too (fault h)."""
    there = f"127.0.0.1:{loupe.backend.port}"
    log = tmp_path / "gateway.log"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        environment = {
            "LOUPE_REGISTRY_ADDRESS": there,
            "LOUPE_SCHEDULER_ADDRESS": f"127.0.0.1:{nobody.getsockname()[1]}",
            "LOUPE_EVALUATOR_ADDRESS": there,
            "LOUPE_OPERATIONS_LISTEN": "127.0.0.1:0",
        }
        async with service_process("gateway", environment, log) as (_, address):
            async with httpx.AsyncClient(base_url=f"http://{address}", timeout=DEADLINE_S) as http:
                told = await http.get("/readyz")
                assert (told.status_code, told.json()["status"]) == (200, "SERVING")
                # Busy cores may make it DEADLINE_EXCEEDED.
                assert told.json()["backends"].pop("scheduler") != "SERVING"
                refused = await http.get("/v1/datasets", headers={"Authorization": "Bearer nobody"})
                unknown = await http.get("/v1/nothing/of/this")
                assert (refused.status_code, unknown.status_code) == (401, 404)
            port = told_port(log, "answering probes")
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE_S) as http:

                async def is_told() -> bool:
                    ready = await http.get("/readyz")
                    needs = ready.json()["needs"]
                    away = needs.pop("scheduler") in {"UNAVAILABLE", "NO_ANSWER", "DEADLINE_EXCEEDED"}
                    others = ("process", "backends", "registry", "evaluator")
                    return away and ready.status_code == 200 and needs == dict.fromkeys(others, "READY")

                await eventually(is_told)
                counted = {
                    (sample.labels["route"], sample.labels["status"]): sample.value
                    for family in text_string_to_metric_families((await http.get("/metrics")).text)
                    for sample in family.samples
                    if sample.name == "loupe_http_requests_total"
                }
    # The path of a request that no route has is no label: anybody may ask for a million of them.
    assert counted == {("pages", "200"): 1, ("GET /v1/datasets", "401"): 1, ("none", "404"): 1}


async def test_a_probe_speaks_mutual_tls(tmp_path: Path) -> None:
    """A kubelet's own gRPC probe cannot (fault i)."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    files = {name: tmp_path / f"{name}.pem" for name in ("certificate", "key", "authority")}
    issued.cert_chain_pems[0].write_to_path(files["certificate"])
    issued.private_key_pem.write_to_path(files["key"])
    authority.cert_pem.write_to_path(files["authority"])
    environment = {f"LOUPE_TLS_{name.upper()}": str(path) for name, path in files.items()}
    async with installation(StreamLimits(), load(TlsSettings, environment)) as behind:
        address = f"127.0.0.1:{behind.backend.port}"
        assert await _probe(address, environment) == (0, "SERVING\n")
        code, said = await _probe(address, dict.fromkeys(environment, ""))
        assert (code, said.startswith("UNAVAILABLE")) == (1, True)
        code, said = await _probe(address, {**environment, "LOUPE_TLS_KEY": ""})
        assert (code, "LOUPE_TLS_KEY is not set" in said) == (2, True)
        await behind.backend.stop(0)
        assert (await _probe(address, environment))[0] == 1


async def test_when_a_certificate_expires_is_told(loupe: Installation, tmp_path: Path) -> None:
    """A certificate that runs out stops a fab; it is known long before."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    there = f"127.0.0.1:{loupe.backend.port}"
    environment = {
        **{f"LOUPE_{name}_ADDRESS": there for name in ("REGISTRY", "SCHEDULER", "EVALUATOR")},
        "LOUPE_HTTPS_CERTIFICATE": str(chain),
        "LOUPE_HTTPS_KEY": str(key),
        "LOUPE_OPERATIONS_LISTEN": "127.0.0.1:0",
    }
    log = tmp_path / "gateway.log"
    async with service_process("gateway", environment, log):
        port = told_port(log, "answering probes")
        async with httpx.AsyncClient(timeout=DEADLINE_S) as http:
            text = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
    told = [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "loupe_certificate_expiry_timestamp_seconds"
    ]
    expires = x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_after_utc.timestamp()
    assert told == [({"certificate": "https"}, expires)]
