"""No service reads the clock of its machine, except to label or sign something (docs/decisions/0063)."""

import ast

from client.update_translations import product_modules

_READ_THE_WALL_CLOCK = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.time_ns",
}
_MAY = {
    # When a process started and when lines and points were made, for people.
    "services/kit/clock.py",
    # The comparison itself.
    "services/kit/clock_watch.py",
    # The signature of a link, which the object store checks with its own clock.
    "services/kit/object_store.py",
    # The end of a key, which the object store looks at with its own clock.
    "services/kit/store_keys.py",
    # Files of this machine that are a day old.
    "services/vision/pack.py",
}


def test_services_go_by_postgresqls_clock() -> None:
    """A lease, a token or a grace period must mean the same on every machine, whatever its clock says."""
    found = {
        path
        for path, source in product_modules()
        if path.startswith(("services/", "gateway/"))
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) in _READ_THE_WALL_CLOCK)
        or (isinstance(node, ast.Attribute) and node.attr == "GetCurrentTime")
    }
    assert found == _MAY


def test_only_workers_have_a_clock_of_their_own() -> None:
    """Servers with a database pass its time on as a value."""
    found = {
        path.rsplit("/", 1)[0]
        for path, source in product_modules()
        if path.startswith(("services/", "gateway/")) and "SystemClock" in source
    }
    assert found == {"services/kit", "services/worker"}
