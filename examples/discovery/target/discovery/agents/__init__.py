"""Rule-based agents: each looks at data and says what it found, with a confidence."""
