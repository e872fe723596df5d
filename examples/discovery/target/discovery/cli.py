"""`python -m discovery.cli`: import a file, or show what a flow found."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from discovery.core.context import RequestContext
from discovery.core.db import open_engine, session_factory, unit_of_work
from discovery.flows.unified_discovery_flow.state_management import StateStore, progress
from discovery.services.importer import import_file


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    context = RequestContext(options.client, options.engagement)
    with unit_of_work(session_factory(open_engine(options.database))) as session:
        if options.command == "import":
            state = import_file(session, context, options.file)
        else:
            state = StateStore(session, context).load(options.flow)
        summary = {
            "flow_id": state.flow_id,
            "status": state.status,
            "progress": progress(state),
            "assets": state.asset_inventory.get("total_count", 0),
            "errors": state.errors,
        }
    json.dump(summary, sys.stdout, indent=2)
    print()
    return 1 if state.errors else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="discovery", description=__doc__)
    parser.add_argument("--database", default="sqlite:///discovery.db")
    parser.add_argument("--client", required=True, help="id of the client account")
    parser.add_argument("--engagement", required=True, help="id of the engagement")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("import").add_argument("file", type=Path)
    commands.add_parser("show").add_argument("flow", help="flow id")
    return parser


if __name__ == "__main__":
    sys.exit(main())
