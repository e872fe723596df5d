"""What everything else stands on: request context, database sessions, the flow kernel."""
