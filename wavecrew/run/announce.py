"""The first fact of a run: all it will do, told once by whichever engine comes first."""

from __future__ import annotations

from wavecrew.journal import events as e
from wavecrew.run.parts import Parts


def announce(parts: Parts) -> None:
    """Make the integration branch and say that the run starts; said again it changes nothing."""
    spec = parts.spec
    if parts.repository.read_ref(spec.integration_ref) is None:
        parts.repository.update_ref(spec.integration_ref, spec.base, None)
    parts.log.append(
        e.RunStarted(
            plan=spec.plan.title,
            base=spec.base,
            integration=spec.integration_ref,
            model=spec.settings.model.name,
            rehearsal=bool(spec.rehearsal),
            sandbox=parts.sandbox.mode,
            tasks=[
                {
                    "id": t.id,
                    "title": t.title,
                    "role": t.agent,
                    "wave": t.wave or "",
                    "phase": t.phase,
                    "group": t.group,
                    "estimate_h": t.estimate_h,
                    "depends_on": [d for d in t.depends_on if d in spec.only],
                }
                for t in spec.tasks
            ],
            sync_points=[
                {
                    "id": s.id,
                    "title": s.title,
                    "after": [t.id for t in spec.plan.before(s)],
                    "holds": [t.id for t in spec.plan.held_by(s)],
                }
                for s in spec.syncs
            ],
            roles=[role.name for role in spec.roles if not role.manager],
        )
    )
