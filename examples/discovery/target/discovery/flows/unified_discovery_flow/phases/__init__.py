"""The phases of the flow, one module each."""
