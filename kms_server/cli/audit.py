"""`kms-server audit`: the group of commands about the audit log."""

import click

from kms_server.cli.command_group import CommandGroup, Elsewhere


@click.group(
    cls=CommandGroup,
    elsewhere={
        "query": Elsewhere(
            "kms_server.cli.audit_query:query",
            "Print records, oldest first: a table, whole records as JSON lines, or CSV.",
        ),
        "deliver": Elsewhere(
            "kms_server.cli.audit_deliver:deliver",
            "Deliver log files of trails, and the digests that are due; or print what waits for delivery.",
        ),
        "rotate-key": Elsewhere(
            "kms_server.cli.audit_deliver:rotate_key",
            "Sign digests and checkpoints with a new key from now on; they rotate every 30 days by themselves.",
        ),
        "verify": Elsewhere(
            "kms_server.cli.audit_verify:verify",
            "Verify the chains of the log, its checkpoints, and what trails have delivered.",
        ),
        "prune": Elsewhere(
            "kms_server.cli.audit_prune:prune",
            "Remove audit records that are beyond the limits, whole files and batches at a time.",
        ),
        "tail": Elsewhere(
            "kms_server.cli.audit_tail:tail",
            "Print the newest records that fit, and with -f those that come.",
        ),
        "stats": Elsewhere(
            "kms_server.cli.audit_stats:stats",
            "Count calls by key, principal, error or whatever else, and draw them over time.",
        ),
    },
)
def audit() -> None:
    """The audit log.

    \b
    Who used a key on an object, and when:
      kms-server audit query --key alias/orders --object s3://reports/q3.csv
    What was denied in the last two hours:
      kms-server audit query --error AccessDenied --since 2h
    Everything, for a database of your own:
      kms-server audit query --format jsonl > audit.jsonl
    Which keys are used most:
      kms-server audit stats --by key --since 7d
    """
