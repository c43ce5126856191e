"""Whether the audit log, its checkpoints and what was delivered of it are as they were written."""
