"""`python -m gateway`: HTTP+JSON and events in front of the services.

`python -m gateway --routes` prints every route with its RPC and least role as CSV, and serves nothing;
`--openapi` prints the description of the interface, of which the console's types are made.
"""

import csv
import json
import os
import sys
from functools import partial

from loupe.rpc.channel import connect
from loupe.settings import load

from gateway.app import create_app
from gateway.backends import Backends
from gateway.contracts import all_services, operations
from gateway.events import StreamLimits, Streams
from gateway.objects import Objects
from gateway.openapi import describe, path_of
from gateway.routing import routes_of
from gateway.server import HttpServer
from gateway.settings import Settings
from gateway.static import Console
from services.kit import telemetry
from services.kit.lifecycle import Process, run
from services.kit.operations import Operations


async def main(process: Process) -> None:
    """Connect the services and serve."""
    settings = load(Settings, os.environ)
    telemetry.configure("gateway", settings.log_level)
    operations = await process.enter(Operations(settings.operations, "gateway", settings.tls))
    operations.watch_certificate("https", settings.http.certificate)
    credentials = settings.tls.channel_credentials()
    channels = {
        name: await process.enter(connect(address, credentials=credentials))
        for name, address in settings.addresses.items()
    }
    streams = Streams(
        StreamLimits(
            slow_reader_s=settings.slow_reader_s,
            lifetime_s=settings.stream_lifetime_s,
            max_open=settings.max_streams,
            max_per_principal=settings.max_streams_per_principal,
            check_s=settings.stream_check_s,
        )
    )
    console = Console(picture_origin=settings.picture_origin, public_url=settings.public_url)
    objects = (
        Objects(settings.objects, patience_s=settings.http.body_deadline_s) if settings.objects else None
    )
    backends = Backends(channels, settings.deadline_s)
    operations.readiness.require("backends", backends.require_any)
    for name in backends.names:
        operations.readiness.tell(name, partial(backends.require, name))
    app = create_app(backends, streams, console, settings.http, objects, operations.about)
    await process.enter(HttpServer(app, streams, settings.listen, http=settings.http))
    await operations.readiness.begin()

    async def end() -> None:
        operations.readiness.end()

    process.on_stop(end)


def print_routes() -> None:
    """Write the table of routes and roles to standard output."""
    table = csv.writer(sys.stdout)
    table.writerow(("method", "path", "answer", "rpc", "role"))
    for route in routes_of(operations(all_services())):
        path, _ = path_of(route.template)
        table.writerow((route.http_method, path, route.form.value, route.operation.rpc, route.role.name))


def print_openapi() -> None:
    """Write the OpenAPI document to standard output."""
    document = describe(routes_of(operations(all_services())))
    json.dump(document, sys.stdout, ensure_ascii=False, indent=1)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["--routes"]:
            print_routes()
        case ["--openapi"]:
            print_openapi()
        case _:
            run(main)
