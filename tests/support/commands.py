"""The command `loupe` before servers that run in this process."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from click.testing import CliRunner, Result
from loupe.cli import loupe


@dataclass(frozen=True)
class Command:
    """`loupe` with the addresses and the token of one caller."""

    environ: dict[str, str]

    @classmethod
    def of(cls, token: str, **addresses: str) -> "Command":
        """For services by name; those that are not named do not answer."""
        environ = {f"LOUPE_{name}_ADDRESS": "127.0.0.1:9" for name in ("REGISTRY", "SCHEDULER", "EVALUATOR")}
        environ |= {f"LOUPE_{name.upper()}_ADDRESS": address for name, address in addresses.items()}
        return cls({**environ, "LOUPE_TOKEN": token, "LC_ALL": "C.UTF-8"})

    async def __call__(self, *arguments: object) -> Result:
        """Run it to its end, in a thread: it has an event loop of its own."""
        words = [str(argument) for argument in arguments]
        return await asyncio.to_thread(CliRunner(env=self.environ).invoke, loupe, words)

    async def text(self, *arguments: object) -> str:
        """What it shows a person."""
        done = await self(*arguments)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    async def json(self, *arguments: object) -> Any:
        """What it answers to a script."""
        return json.loads(await self.text(*arguments, "--json"))

    async def refused(self, *arguments: object) -> str:
        """What it says on stderr, and nothing on stdout, ending with 1 or, of wrong usage, 2."""
        done = await self(*arguments)
        assert done.exit_code in {1, 2}, done.stdout
        assert not done.stdout
        return done.stderr
