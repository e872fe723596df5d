"""What a run leases to its attempts and gates, as environment and folders.

Ports only collide where commands share the machine's network, in sandbox mode
none; elsewhere every command has a network of its own, and the same numbers
are handed to all. Without `[leases]` in wavecrew.toml nothing is claimed.
"""

from __future__ import annotations

import threading
from pathlib import Path

from wavecrew.errors import EnvironmentBroken
from wavecrew.plan.settings import LeaseSettings
from wavecrew.run.leases import RENEW_S, Leases, Thing, database_name
from wavecrew.run.wire import Lease
from wavecrew.sandbox.furnished import CACHE, Furnished
from wavecrew.sandbox.model import Sandbox


class Lessor:
    """One per engine process. Thread-safe."""

    def __init__(
        self,
        settings: LeaseSettings,
        *,
        git_dir: Path,
        run: str,
        folder: Path,
        sandbox: Sandbox,
        machine: str = "",
    ) -> None:
        """`git_dir`: the repository's, whose runs share one table. `folder`: the run's.

        `machine` is part of every name that counts beyond this machine.
        """
        self._settings = settings
        self._git_dir = git_dir
        self._run = run
        self._folder = folder
        self._sandbox = sandbox
        self._machine = machine
        self._lock = threading.Lock()
        self._leases: Leases | None = None
        self._over = threading.Event()

    def lease(self, holder: str, cache: Path | None = None) -> Lease:
        """What `holder` (an attempt, a gate) may use alone; asked again it gets the same.

        `cache` is the folder that becomes its cache when the settings ask for one.
        """
        settings = self._settings
        env: dict[str, str] = {}
        if settings.ports:
            base = self._port_base(holder)
            env |= {"WAVECREW_PORT_BASE": str(base), "WAVECREW_PORT_COUNT": str(settings.ports)}
        things: list[Thing] = []
        for name in settings.databases:
            database = database_name(name, self._git_dir, self._named(holder), self._machine)
            things.append(Thing("database", database))
            env.setdefault("WAVECREW_DATABASE", database)
            env[f"WAVECREW_DATABASE_{name.upper()}"] = database
        if settings.cache:
            env["WAVECREW_CACHE_DIR"] = CACHE
        if not settings.cache:
            cache = None
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)
            things.append(Thing("cache", str(cache.resolve())))
        self._claim(holder, tuple(things))
        return Lease(env=env, cache=cache)

    def attempt(self, holder: str, cache: Path) -> Sandbox:
        """The run's sandbox with what an attempt leases; its cache lasts as long as the attempt."""
        lease = self.lease(holder, cache)
        return (
            Furnished(self._sandbox, lease.env, cache=lease.cache) if lease.env else self._sandbox
        )

    def gate(self, holder: str) -> Sandbox:
        """The run's sandbox with leases of a gate's own; its cache is empty for every command."""
        lease = self.lease(holder)
        fresh = self._folder / "scratch" / "cache" if self._settings.cache else None
        return Furnished(self._sandbox, lease.env, fresh=fresh) if lease.env else self._sandbox

    def release(self, *holders: str) -> None:
        for holder in holders:
            if self._leases is not None:
                self._leases.release(self._named(holder))

    def close(self) -> None:
        """Give everything back."""
        self._over.set()
        if self._leases is not None:
            self._leases.release_all()

    def _port_base(self, holder: str) -> int:
        settings = self._settings
        if self._sandbox.mode != "none":
            return settings.first_port
        block = self._table().claim_block(
            self._named(holder), settings.first_port, settings.last_port, settings.ports
        )
        return block[0]

    def _claim(self, holder: str, things: tuple[Thing, ...]) -> None:
        if things and not self._table().claim(self._named(holder), things):
            raise EnvironmentBroken(
                f"what {holder!r} needs is leased to another process that is alive",
                where=str(self._git_dir / "wavecrew" / "leases.db"),
                mend="wait until that run has ended",
            )

    def _table(self) -> Leases:
        """The table, opened at first need and kept alive from then on."""
        with self._lock:
            if self._leases is None:
                self._leases = Leases(self._git_dir / "wavecrew" / "leases.db")
                self._leases.sweep()
                threading.Thread(target=self._renew, name="leases", daemon=True).start()
            return self._leases

    def _renew(self) -> None:
        assert self._leases is not None
        while not self._over.wait(RENEW_S):
            self._leases.renew()

    def _named(self, holder: str) -> str:
        return f"{self._run}/{holder}"
