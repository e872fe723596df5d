"""How an untrusted command is run: `open_sandbox` gives the one door, `Sandbox.run` is it."""

from wavecrew.sandbox.choose import open_sandbox

__all__ = ["open_sandbox"]
