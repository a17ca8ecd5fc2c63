"""What each of Loupe's processes is told, and in which order they start."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from loupe.signatures import PublicKeys, read_private_key

from deploy.embedded import service_tokens, stack
from deploy.embedded.data_folder import DataFolder
from deploy.embedded.errors import StackError
from deploy.embedded.loupe_processes import Workers, loupe_processes, monitoring_ports
from deploy.embedded.nats import Nats
from deploy.embedded.network import Network
from deploy.embedded.ports import SERVER_PORTS, SERVICE_PORTS, assign
from deploy.embedded.postgres import Postgres
from deploy.embedded.process import ProcessSpec
from deploy.embedded.seaweed import Seaweed
from deploy.embedded.servers import Plan
from deploy.embedded.settings import Durability
from services.evaluator.worker.packaging.signing import Signer


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    credentials = folder.credentials()
    monitored = monitoring_ports(Workers(trainers=2, evaluators=1))
    ports = assign((*SERVER_PORTS, *SERVICE_PORTS, *monitored), {})
    return Plan(
        folder=folder,
        ports=ports,
        credentials=credentials,
        postgres=Postgres(folder.root / "postgres", port=ports["postgres"], credentials=credentials),
        nats=Nats(folder.root / "nats", port=ports["nats"], credentials=credentials),
        seaweed=Seaweed(folder.root / "seaweed", ports=ports, credentials=credentials),
    )


def processes(plan: Plan, **workers: int) -> dict[str, ProcessSpec]:
    return {spec.name: spec for spec in loupe_processes(plan, workers=Workers(**workers))}


def test_as_many_workers_as_asked_for_each_with_a_name_of_its_own(plan: Plan) -> None:
    """A lease and a log line name the worker; two of one name could not be told apart."""
    specs = processes(plan, trainers=2, evaluators=0)
    assert set(specs) == {"registry", "scheduler", "evaluator", "gateway", "trainer-1", "trainer-2"}
    assert specs["trainer-2"].prepare().environment["LOUPE_WORKER"] == "trainer-2"


def test_every_process_answers_probes_at_an_address_of_its_own_on_this_machine(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own setting would give all of them the same port, and perhaps the whole network."""
    monkeypatch.setenv("LOUPE_OPERATIONS_LISTEN", "0.0.0.0:9100")
    specs = processes(plan, trainers=3, evaluators=1)
    told = {name: spec.prepare().environment["LOUPE_OPERATIONS_LISTEN"] for name, spec in specs.items()}
    assert told.pop("trainer-3") == "", "a stack without a port for it"
    assert len(set(told.values())) == len(told) == 7
    assert all(address.startswith("127.0.0.1:") for address in told.values())
    assert told == {name: specs[name].monitoring for name in told}


def test_only_those_who_own_rows_can_reach_the_database(plan: Plan) -> None:
    """Workers own no database (architecture, invariant 2); neither does the gateway."""
    told = {
        name for name, spec in processes(plan).items() if "LOUPE_DATABASE_URL" in spec.prepare().environment
    }
    assert told == {"registry", "scheduler", "evaluator"}


def test_only_the_registry_learns_the_administrators_token(plan: Plan) -> None:
    """It makes the first user; nobody else has a use for it."""
    token = plan.credentials.admin_token
    told = {name for name, spec in processes(plan).items() if token in spec.prepare().environment.values()}
    assert told == {"registry"}


def test_only_those_who_write_packages_learn_the_key_that_signs_them(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """X6: as the path of a file that only its owner may read; what checks is the registry's to show."""
    monkeypatch.setenv("LOUPE_SIGNING_KEY", "/of/another/installation")
    told = {name: spec.prepare().environment for name, spec in processes(plan).items()}
    keys = {name: each["LOUPE_SIGNING_KEY"] for name, each in told.items() if "LOUPE_SIGNING_KEY" in each}
    assert set(keys) == {"evaluator-worker-1"}
    private = Path(keys["evaluator-worker-1"])
    assert private.is_relative_to(plan.folder.root)
    assert private.stat().st_mode & 0o777 == 0o600
    fingerprint = Signer(read_private_key(private)).fingerprint
    public = {name for name, each in told.items() if "LOUPE_SIGNING_PUBLIC_KEYS" in each}
    assert public == {"registry"}
    assert list(PublicKeys.read(Path(told["registry"]["LOUPE_SIGNING_PUBLIC_KEYS"])).pem()) == [fingerprint]


def test_each_process_has_keys_of_its_own_and_the_gateway_none(plan: Plan) -> None:
    """Whoever takes over one process has its rights; the gateway is the one that strangers talk to."""
    told = {name: spec.prepare().environment for name, spec in processes(plan, trainers=1).items()}
    keys = {name: environment.get("LOUPE_S3_SECRET_KEY") for name, environment in told.items()}
    urls = {name: environment.get("LOUPE_NATS_URL") for name, environment in told.items()}
    assert keys.pop("gateway") is None
    assert len({*keys.values(), None, plan.credentials.s3_secret_key}) == len(keys) + 2
    publishing = {name for name, url in urls.items() if url is not None}
    assert publishing == {"registry", "scheduler", "evaluator"}
    assert len({*urls.values(), plan.nats.url}) == len(publishing) + 2
    mirroring = {name for name, environment in told.items() if "LOUPE_NATS_MIRRORS_URL" in environment}
    assert mirroring == {"registry", "scheduler"}
    root = plan.credentials.identity_key
    assert not any(root in "".join(environment.values()) for environment in told.values())


def test_whoever_names_objects_or_publishes_events_flushes_them(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is not told where the files are acknowledges what a power loss takes."""
    monkeypatch.setenv("LOUPE_NATS_UNFLUSHED_FOLDER", "/of/another/installation")
    folders = {
        "LOUPE_S3_UNFLUSHED_FOLDER": str(plan.seaweed.folder),
        "LOUPE_NATS_UNFLUSHED_FOLDER": str(plan.nats.folder),
    }
    for spec in processes(plan).values():
        told = spec.prepare().environment
        names = folders if spec.name != "gateway" else {}
        assert {name: told.get(name) for name in names} == names, spec.name
    for spec in processes(replace(plan, durability=Durability.PROCESS)).values():
        assert not folders.keys() & spec.prepare().environment.keys(), spec.name


def test_a_durability_that_does_not_exist_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in the log of a process in the background, and nothing is started."""
    monkeypatch.setenv("LOUPE_DURABILITY", "forever")
    with pytest.raises(StackError, match="LOUPE_DURABILITY"):
        stack.up(tmp_path / "data", detach=True)
    assert not (tmp_path / "data").exists()


def test_no_secret_is_an_argument(plan: Plan) -> None:
    """Arguments of a process are there for every user of the machine to read."""
    specs = [*processes(plan).values(), plan.nats.spec(), plan.seaweed.spec()]
    keys = plan.credentials
    secrets = (
        keys.admin_token,
        keys.postgres_password,
        keys.nats_password,
        keys.s3_secret_key,
        keys.seaweed_jwt_key,
    )
    for spec in specs:
        launch = spec.prepare()
        assert not any(secret in " ".join(launch.command) for secret in secrets), spec.name
        assert not any(secret in repr(launch) for secret in secrets), spec.name


def test_the_gateway_is_told_addresses_only(plan: Plan) -> None:
    """It is the one process that the whole fab reaches; it shows the token of its caller and has none."""
    told = processes(plan)["gateway"].prepare().environment
    ours = {name for name in told if name.startswith("LOUPE_")} - set(os.environ)
    assert ours == {
        *(f"LOUPE_{name.upper()}_ADDRESS" for name in SERVICE_PORTS),
        *("LOUPE_LISTEN", "LOUPE_OPERATIONS_LISTEN", "LOUPE_S3_ENDPOINT"),
    }


def test_other_machines_reach_second_ports_and_links_lead_to_the_gateway(plan: Plan) -> None:
    """The processes' own ports, over which they trust each other's word on callers, stay on loopback."""
    chosen = Network(bind="10.1.2.3", public_host="loupe.fab", certificate="/c.pem", key="/k.pem")
    public = assign(["registry_public", "scheduler_public", "evaluator_public"], {})
    opened = replace(plan, network=chosen, ports={**plan.ports, **public})
    told = {name: spec.prepare().environment for name, spec in processes(opened).items()}
    url = f"https://loupe.fab:{plan.ports['gateway']}"
    for name in ("registry", "scheduler", "evaluator"):
        assert told[name]["LOUPE_LISTEN"] == f"127.0.0.1:{plan.ports[name]}"
        assert told[name]["LOUPE_PUBLIC_LISTEN"] == f"10.1.2.3:{public[f'{name}_public']}"
        assert told[name]["LOUPE_PUBLIC_CERTIFICATE"] == "/c.pem"
        assert told[name]["LOUPE_S3_PUBLIC_ENDPOINT"] == url
    assert told["gateway"]["LOUPE_LISTEN"] == f"10.1.2.3:{plan.ports['gateway']}"
    assert told["gateway"]["LOUPE_GATEWAY_OBJECTS"] == f"http://{plan.seaweed.address}/loupe"
    assert told["gateway"]["LOUPE_GATEWAY_PUBLIC_URL"] == url
    assert "LOUPE_PUBLIC_LISTEN" not in told["trainer-1"]
    assert opened.public_addresses["registry"] == f"loupe.fab:{public['registry_public']}"


def test_no_token_is_in_an_environment(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children inherit it, and processes of the same user read it. One of the shell is not passed on."""
    monkeypatch.setenv("LOUPE_SERVICE_TOKEN", "of an earlier release")
    service_tokens.create(plan.folder.service_tokens)
    secrets = [path.read_text().strip() for path in plan.folder.service_tokens.glob("*.token")]
    assert len(set(secrets)) == 4
    for spec in processes(plan).values():
        told = spec.prepare().environment
        assert "LOUPE_SERVICE_TOKEN" not in told
        assert not set(secrets) & set(told.values())


def test_every_server_listens_where_the_others_look_for_it(plan: Plan) -> None:
    """One address, said once."""
    specs = processes(plan)
    told = specs["trainer-1"].prepare().environment
    for name in ("registry", "scheduler", "evaluator", "gateway"):
        listens = specs[name].prepare().environment["LOUPE_LISTEN"]
        assert listens == told[f"LOUPE_{name.upper()}_ADDRESS"] == specs[name].address


def test_the_users_own_settings_reach_the_services(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log level, lease and telemetry are the user's to choose; addresses and secrets are the stack's."""
    monkeypatch.setenv("LOUPE_LEASE_S", "3")
    monkeypatch.setenv("LOUPE_DATABASE_URL", "postgresql://elsewhere/db")
    monkeypatch.setenv("LOUPE_STREAM_REPLICAS", "3")
    environment = processes(plan)["scheduler"].prepare().environment
    assert environment["LOUPE_LEASE_S"] == "3"
    assert environment["LOUPE_DATABASE_URL"] == plan.postgres.url
    assert "LOUPE_STREAM_REPLICAS" not in environment
    assert "LOUPE_DATABASE_URL" not in processes(plan)["trainer-1"].prepare().environment
