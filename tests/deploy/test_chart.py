"""What the chart makes of its values: manifests are rendered and validated; nothing runs on a cluster."""

import json
import re
from collections.abc import Mapping

import pytest
import sqlalchemy as sa
import yaml

from services.kit.database import Database
from tests.deploy.conftest import (
    CHART,
    EXAMPLES,
    PROCESS_OF_MODULE,
    Render,
    call,
    of_kind,
    pods,
    values_files,
    variables,
)
from tests.support.repository import ROOT

SERVERS = ("registry", "scheduler", "evaluator")
VALUES = [
    *(("minimal",), ("trial",), ("fab",), ("keda",), ("identity",)),
    *(("minimal", "monitoring"), ("fab", "hosts")),
]
KUBERNETES = ("1.34", "1.35", "1.36", "1.37")
# Of operators: no schema of Kubernetes describes them.
FOREIGN = {"LeaderWorkerSet", "ScaledJob", "ServiceMonitor", "PodMonitor", "PrometheusRule"}


@pytest.mark.parametrize("names", VALUES, ids="+".join)
def test_the_chart_is_valid_with_every_example(helm: str, render: Render, names: tuple[str, ...]) -> None:
    """A field that Kubernetes does not know is dropped in silence when it is applied."""
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="`make check-deploy` installs it")
    linted = call(helm, "lint", "--strict", str(CHART), *values_files(*names))
    assert linted.returncode == 0, linted.stdout
    for manifest in render(*names):
        if manifest["kind"] not in FOREIGN:
            for version in KUBERNETES:
                kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("registri={}", "registri"),
        ("registry.replica=2", "replica"),
        ("registry.replicas=0", "replicas"),
        ('registry.secret=""', "secret"),
        ('images.services="loupe"', "services"),
        ('images.train=""', "train"),
        ('registry.env={"LOUPE_DATABASE_URL":"postgresql://a:b@c/d"}', "LOUPE_DATABASE_URL"),
        ('registry.env={"AWS_SECRET_ACCESS_KEY":"a"}', "AWS_SECRET_ACCESS_KEY"),
        ('registry.env={"PATH":"/tmp"}', "PATH"),
        ('objectStore.webIdentity={"audience":"s3"}', "objectRole"),
        ('objectStore.endpoint="https://s3.example.com"', "endpoint"),
        ('workers=[{"name":"a","kind":"trainer"}]', "resource"),
        ("ingress.gateway.enabled=true", "host"),
    ],
)
def test_values_that_are_not_meant_so_are_refused(helm: str, setting: str, named: str) -> None:
    """A misspelt value that is ignored is found when it is needed."""
    done = call(helm, "template", "loupe", str(CHART), *values_files("minimal"), "--set-json", setting)
    assert done.returncode != 0
    assert named in done.stderr


def _worker(**changed: object) -> str:
    worker: dict[str, object] = {
        "name": "a",
        "kind": "trainer",
        "resource": "cpu",
        "secret": "s",
        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
        **changed,
    }
    return "workers=" + json.dumps([worker])


@pytest.mark.parametrize(
    "worker",
    [
        _worker(),
        _worker(replicas=1, keda={"maxReplicas": 1, "triggers": [{"type": "cron", "metadata": {}}]}),
        _worker(replicas=1, resources={"limits": {"cpu": 1}}),
        _worker(replicas=1, kind="evaluator"),
        _worker(keda={"maxReplicas": 1, "triggers": []}),
        _worker(nodes=2, replicas=1, kind="evaluator-worker"),
        _worker(nodes=2, keda={"maxReplicas": 1, "triggers": [{"type": "cron", "metadata": {}}]}),
    ],
)
def test_workers_that_cannot_be_are_refused(helm: str, worker: str) -> None:
    """Without limits a worker would announce what its node has; with two ways to scale none would hold."""
    done = call(helm, "template", "loupe", str(CHART), *values_files("minimal"), "--set-json", worker)
    assert done.returncode != 0
    assert "workers" in done.stderr


@pytest.mark.parametrize("names", VALUES, ids="+".join)
def test_every_pod_is_restricted(render: Render, names: tuple[str, ...]) -> None:
    """A namespace that enforces `restricted` takes every pod; each writes only where something is mounted."""
    for name, pod in pods(render(*names)):
        security = pod["spec"]["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        for container in pod["spec"]["containers"]:
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}, name  # noqa: S108
            assert container["resources"]["limits"]["memory"], name


@pytest.mark.parametrize("names", VALUES, ids="+".join)
def test_every_variable_is_a_setting_of_its_process(
    render: Render, settings_of: Mapping[str, set[str]], names: tuple[str, ...]
) -> None:
    """A variable that the process does not read is set in vain."""
    for name, pod in pods(render(*names)):
        for container in pod["spec"]["containers"]:
            module = container["args"][2]
            known = (
                {"LOUPE_DATABASE_URL_FILE"}
                if module == "services.migrate"
                else settings_of[PROCESS_OF_MODULE[module]]
            )
            ours = {one["name"] for one in container["env"] if one["name"].startswith("LOUPE_")}
            assert ours <= known, (name, ours - known)


def test_no_secret_is_made_and_each_process_gets_its_own(render: Render) -> None:
    """Who takes over one pod must not have the token or the keys of another."""
    manifests = render("fab")
    assert not of_kind(manifests, "Secret")
    tokens = {
        "loupe-registry": {"accepted"},
        "loupe-scheduler": {"accepted", "scheduler.token"},
        "loupe-evaluator": {"accepted", "evaluator.token"},
        "loupe-gateway": set(),
        "loupe-worker-trainer": {"trainer.token"},
        "loupe-worker-evaluator": {"evaluator-worker.token"},
    }
    deployments = of_kind(manifests, "Deployment")
    assert set(deployments) == set(tokens)
    secrets: dict[str, str] = {}
    for name, deployment in deployments.items():
        volumes = {one["name"]: one for one in deployment["spec"]["template"]["spec"]["volumes"]}
        items = volumes.get("tokens", {"secret": {"items": []}})["secret"]["items"]
        assert {item["path"] for item in items} == tokens[name], name
        if "secrets" in volumes:
            secrets[name] = volumes["secrets"]["secret"]["secretName"]
        assert ("signing" in volumes) == (name in {"loupe-registry", "loupe-worker-evaluator"}), name
    assert len(set(secrets.values())) == len(secrets) == 5


def test_pods_with_an_identity_have_no_key_of_the_store(render: Render) -> None:
    """A key in a Secret opens the bucket for years; keys for an identity end after an hour."""
    for name, deployment in of_kind(render("identity"), "Deployment").items():
        if name == "loupe-gateway":
            continue
        pod = deployment["spec"]["template"]
        env, volumes = variables(pod), {one["name"]: one for one in pod["spec"]["volumes"]}
        (token,) = volumes["identity"]["projected"]["sources"]
        place = f"/run/loupe/identity/{token['serviceAccountToken']['path']}"
        assert env["AWS_WEB_IDENTITY_TOKEN_FILE"]["value"] == place
        assert env["LOUPE_S3_KEYS"]["value"] == "aws"
        assert not [one for one in env if one.startswith("LOUPE_S3_") and one.endswith(("_KEY", "_KEY_FILE"))]
        assert pod["spec"]["serviceAccountName"] == env["AWS_ROLE_ARN"]["value"].rpartition("/")[2]
        items = {
            item["path"] for item in volumes.get("secrets", {"secret": {"items": []}})["secret"]["items"]
        }
        assert items == (set() if "worker" in name else {"database-url", "nats-url", "nats.creds"}), name


def test_servers_are_reached_at_all_their_pods(render: Render) -> None:
    """Behind one virtual address all calls of a connection would end at one replica."""
    services = of_kind(render("minimal"), "Service")
    for name in SERVERS:
        spec = services[f"loupe-{name}"]["spec"]
        assert spec["clusterIP"] == "None"
        assert spec["selector"]["app.kubernetes.io/component"] == name
    gateway = of_kind(render("minimal"), "Deployment")["loupe-gateway"]["spec"]["template"]
    ports = {name: services[f"loupe-{name}"]["spec"]["ports"][0]["port"] for name in SERVERS}
    for name, port in ports.items():
        assert variables(gateway)[f"LOUPE_{name.upper()}_ADDRESS"]["value"] == f"loupe-{name}:{port}"


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget", "NetworkPolicy"])
def test_what_selects_pods_selects_some(render: Render, kind: str) -> None:
    """A selector that matches nothing is accepted by Kubernetes and protects nothing."""
    manifests = render("fab")
    labels = [pod["metadata"]["labels"] for _, pod in pods(manifests)]
    for name, one in of_kind(manifests, kind).items():
        spec = one["spec"]
        selector = spec.get("podSelector") or spec["selector"]
        wanted = selector.get("matchLabels", selector)
        assert [of for of in labels if wanted.items() <= of.items()], name


def test_nodes_can_be_drained(render: Render) -> None:
    """A budget over a single replica would never let its node go."""
    assert set(of_kind(render("minimal"), "PodDisruptionBudget")) == {
        f"loupe-{name}" for name in (*SERVERS, "gateway")
    }
    assert not of_kind(render("trial"), "PodDisruptionBudget")


def test_schemas_are_migrated_before_pods_are_replaced(render: Render) -> None:
    """A migration that fails must leave the release before it running."""
    job = of_kind(render("minimal"), "Job")["loupe-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    containers = job["spec"]["template"]["spec"]["containers"]
    assert [one["args"][-2:] for one in containers] == [["services.migrate", name] for name in SERVERS]
    assert not of_kind(render("minimal", settings=["migrate.enabled=false"]), "Job")


def test_a_worker_announces_what_its_container_may_use(render: Render) -> None:
    """Torch and the queue would go by the node's cores, of which the container has a few."""
    trainer = of_kind(render("fab"), "Deployment")["loupe-worker-trainer"]["spec"]["template"]
    env = variables(trainer)
    for name, resource in (("LOUPE_CPUS", "limits.cpu"), ("LOUPE_MEMORY_BYTES", "limits.memory")):
        assert env[name]["valueFrom"]["resourceFieldRef"]["resource"] == resource
    assert env["LOUPE_GPUS"]["value"] == "1"
    assert env["LOUPE_WORKER"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    (container,) = trainer["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert "LOUPE_MAX_IDLE_S" not in env, "a Deployment would start it again"


def test_workers_that_keda_starts_end_of_themselves(render: Render) -> None:
    """The default rollout kills running trainings, and a worker that stays is a Job that never ends."""
    scaled = of_kind(render("keda"), "ScaledJob")["loupe-worker-trainer"]["spec"]
    assert scaled["scalingStrategy"] == {"strategy": "accurate"}
    assert scaled["rollout"] == {"strategy": "gradual"}
    pod = scaled["jobTargetRef"]["template"]
    assert pod["spec"]["restartPolicy"] == "Never"
    assert variables(pod)["LOUPE_MAX_IDLE_S"]["value"] == "600"


def test_hosts_that_train_together_find_each_other(render: Render) -> None:
    """A follower has the leader's address and secret, and no token or address of a service."""
    group = of_kind(render("fab", "hosts"), "LeaderWorkerSet")["loupe-worker-group"]["spec"]
    template = group["leaderWorkerTemplate"]
    assert (group["replicas"], template["size"]) == (2, 4)
    # A pod that comes back meets those that are left; a leader becomes ready only with its followers.
    assert (group["startupPolicy"], template["restartPolicy"]) == ("LeaderCreated", "None")
    leader, follower = template["leaderTemplate"], template["workerTemplate"]
    own, others = variables(leader), variables(follower)
    assert own["LOUPE_NODES"]["value"] == "4"
    assert own["LOUPE_MEETING_LISTEN"]["value"] == "$(POD_IP):7105"
    assert list(own).index("POD_IP") < list(own).index("LOUPE_MEETING_LISTEN")
    assert others["LOUPE_LEADER_ADDRESS"]["value"] == "$(LWS_LEADER_ADDRESS):7105"
    assert not {name for name in others if "TOKEN" in name or "TLS" in name or "SCHEDULER" in name}
    for pod in (leader, follower):
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        assert {item["key"] for item in volumes["secrets"]["secret"]["items"]} == {
            "s3-secret-key",
            "meeting-secret",
        }
        assert ("tokens" in volumes) == ("tls" in volumes) == (pod is leader)
        (container,) = pod["spec"]["containers"]
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes)
        assert "startupProbe" not in container, "nobody knows when the other hosts come"
    policies = of_kind(render("fab", "hosts"), "NetworkPolicy")
    among = policies["loupe-worker-group"]["spec"]
    assert {"from": [{"podSelector": among["podSelector"]}]} in among["ingress"]
    assert all("ports" in rule for rule in policies["loupe-worker-evaluator"]["spec"]["ingress"])


async def test_the_trigger_of_keda_counts_waiting_trainings(postgres_url: str) -> None:
    """A query that the schema does not know scales nothing, and only KEDA's log says so."""
    values = yaml.safe_load((EXAMPLES / "values-keda.yaml").read_text(encoding="utf-8"))
    (worker,) = (one for one in values["workers"] if "keda" in one)
    (trigger,) = worker["keda"]["triggers"]
    async with Database(postgres_url, "scheduler") as database:
        await database.migrate(ROOT / "services/scheduler/migrations")
        async with database.sessions.reading() as session:
            assert await session.scalar(sa.text(trigger["metadata"]["query"])) == 0


def test_every_process_is_probed_and_measured(render: Render) -> None:
    """Kubernetes can only take away, and Prometheus only see, what answers."""
    for name, pod in pods(render("fab")):
        (container,) = pod["spec"]["containers"] if not name.endswith("migrate") else ({"ports": []},)
        for probe, path in (("readinessProbe", "/readyz"), ("livenessProbe", "/livez")):
            if container["ports"]:
                assert container[probe]["httpGet"] == {"path": path, "port": "operations"}, name
    monitors = render("minimal", "monitoring")
    assert set(of_kind(monitors, "ServiceMonitor")) == {"loupe"}
    (workers,) = of_kind(monitors, "PodMonitor").values()
    (expression,) = workers["spec"]["selector"]["matchExpressions"]
    labelled = [name for name, pod in pods(monitors) if expression["key"] in pod["metadata"]["labels"]]
    assert labelled == ["loupe-worker-trainer", "loupe-worker-evaluator"]


def test_alerts_and_dashboards_of_the_chart_are_those_that_are_tested(render: Render) -> None:
    """A copy in the chart would go on with the metrics of an earlier release."""
    made = render("minimal", "monitoring")
    tested = ROOT / "deploy/monitoring"
    rules = yaml.safe_load((tested / "alerts.yaml").read_text(encoding="utf-8"))
    assert of_kind(made, "PrometheusRule")["loupe"]["spec"] == rules
    boards = of_kind(made, "ConfigMap")["loupe-dashboards"]["data"]
    assert boards == {
        path.name: path.read_text(encoding="utf-8") for path in (tested / "dashboards").iterdir()
    }
    assert not of_kind(render("minimal"), "ConfigMap")


def test_processes_are_jobs_of_the_names_that_alerts_know(render: Render) -> None:
    """A release called `adc` made jobs called `adc-loupe-…`: no alert told of a process that is away."""
    made = render("minimal", "monitoring")
    endpoints = [
        *of_kind(made, "ServiceMonitor")["loupe"]["spec"]["endpoints"],
        *of_kind(made, "PodMonitor")["loupe-workers"]["spec"]["podMetricsEndpoints"],
    ]
    assert len(endpoints) == 2
    for endpoint in endpoints:
        (relabeling,) = endpoint["relabelings"]
        assert relabeling["targetLabel"] == "job"
        assert relabeling["replacement"].startswith("loupe-")
    alerts = (ROOT / "deploy/monitoring/alerts.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r'job=~"([^"]*)"', alerts)) == {"loupe.*"}


def test_only_who_needs_a_process_reaches_it(render: Render) -> None:
    """A trainer that was taken over must not reach another trainer, nor the gateway's network."""
    policies = of_kind(render("minimal"), "NetworkPolicy")
    assert len(policies) == 6
    for name, policy in policies.items():
        ports = {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
        expected = (
            {"operations"} if "worker" in name else {"operations", "http" if "gateway" in name else "grpc"}
        )
        assert ports == expected, name
    for policy in of_kind(render("fab"), "NetworkPolicy").values():
        assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
        assert len(policy["spec"]["egress"]) == 5
