"""`make bench-policies`: what policies and grants cost a call, on keys of one server, in turns.

The first key has the default policy. The second has a policy of 32 KB and 100 statements, nearly all about other
principals, and 10,000 grants. The third is used by somebody whom nothing but one of its 10,000 grants allows anything, and
that under a constraint.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.load import Measured
from bench.servers import cores, running
from bench.setup import RESULTS
from bench.targets import Target, bodies, client, credentials

_STATEMENTS = 100
_POLICY_BYTES = 32_768
_GRANTS = 10_000
_CALLERS = 50
_CONTEXT = {"tenant": "7"}
_ACCOUNT = "000000000000"


def large_policy(roles: list[str]) -> str:
    """A key policy of 100 statements, filled up to the largest size there is."""
    default = {"Effect": "Allow", "Principal": {"AWS": _ACCOUNT}, "Action": "kms:*", "Resource": "*"}
    about_all: dict[str, Any] = {
        "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": {"StringEquals": {"kms:EncryptionContext:purpose": ["forbidden", "retired"]}},
    }  # fmt: skip
    others = [
        {
            "Sid": f"Application{number}", "Effect": "Allow" if number % 4 else "Deny",
            "Principal": {"AWS": roles[number % len(roles)]}, "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*",
            "Condition": {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}},
        }
        for number in range(_STATEMENTS - 2)
    ]  # fmt: skip
    policy = {"Version": "2012-10-17", "Statement": [default, about_all, *others]}
    room = _POLICY_BYTES - len(json.dumps(policy)) - len(', "Id": ""')
    return json.dumps(policy | {"Id": "x" * room})


def roles(url: str, access: tuple[str, str]) -> list[str]:
    """The ARNs of roles that grants and statements are about."""
    iam = client("iam", url, *access)
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"AWS": _ACCOUNT}, "Action": "sts:AssumeRole"},
    }
    return [
        iam.create_role(RoleName=f"application-{number}", AssumeRolePolicyDocument=json.dumps(trust))["Role"][
            "Arn"
        ]
        for number in range(_CALLERS)
    ]


def granted(url: str, access: tuple[str, str], key: str, grantees: list[str]) -> None:
    """Give a key its grants; the grantees take turns, each grant with a constraint of its own."""
    kms = client("kms", url, *access)

    def grant(number: int) -> None:
        pairs = {"tenant": str(number // len(grantees))}
        kms.create_grant(
            KeyId=key, GranteePrincipal=grantees[number % len(grantees)], Operations=["Encrypt"],
            Constraints={"EncryptionContextSubset": pairs},
        )  # fmt: skip

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(grant, range(_GRANTS)))


def scenes(stack: ExitStack, directory: Path) -> dict[str, Target]:
    """The three keys as targets of one server."""
    server = stack.enter_context(
        running("kms_server.cli.main", "serve", "--port", "0", "--workers", "1", "--data-dir", str(directory))
    )
    access = credentials(directory)
    kms, iam = client("kms", server.url, *access), client("iam", server.url, *access)
    names = roles(server.url, access)
    user = iam.create_user(UserName="grantee")["User"]["Arn"]
    made = iam.create_access_key(UserName="grantee")["AccessKey"]
    of_grantee = made["AccessKeyId"], made["SecretAccessKey"]
    prepared = [bodies(server.url, *access) for _ in range(3)]
    plain, large, by_grant = ([json.loads(one) for one in each["Encrypt"]] for each in prepared)
    kms.put_key_policy(KeyId=large[0]["KeyId"], PolicyName="default", Policy=large_policy(names))
    granted(server.url, access, large[0]["KeyId"], [*names, user])
    granted(server.url, access, by_grant[0]["KeyId"], [*names, user])
    told = [one | {"EncryptionContext": _CONTEXT} for one in by_grant]

    def target(caller: tuple[str, str], requests: list[dict[str, Any]]) -> Target:
        return Target(server, *caller, {"Encrypt": [json.dumps(one) for one in requests]}, checks=True)

    return {
        "default policy": target(access, plain),
        "100 statements, 10,000 grants": target(access, large),
        "by one of 10,000 grants": target(of_grantee, told),
    }


def measurements(arguments: argparse.Namespace, targets: dict[str, Target]) -> Iterator[str]:
    """A line for each target; they take turns, so that a slow spell of the machine does not fall on one of them."""
    runs: dict[str, list[Measured]] = {name: [] for name in targets}
    for _ in range(arguments.repeats):
        for name, target in targets.items():
            runs[name].append(target.load("Encrypt", arguments.connections, arguments.seconds))
    rows = {name: _middle(of_target) for name, of_target in runs.items()}
    base = rows["default policy"]
    for name, row in rows.items():
        yield (
            f"{name:32} {row.rate:8.0f} {row.p50_ms:8.2f} {row.p99_ms:8.2f} {row.cpu_us:8.1f} "
            f"{row.rate / base.rate:8.1%} {base.cpu_us / row.cpu_us:8.1%}"
        )


def _middle(runs: list[Measured]) -> Measured:
    """The run of median rate."""
    return sorted(runs, key=lambda run: run.rate)[len(runs) // 2]


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="measured time per run, after a third of warm-up"
    )
    parser.add_argument("--repeats", type=int, default=7, help="runs, of which the median counts")
    arguments = parser.parse_args()
    RESULTS.mkdir(exist_ok=True)
    of_servers, of_load = cores()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=RESULTS)))
        os.sched_setaffinity(0, of_servers)
        print("making two times 10,000 grants takes about a minute", file=sys.stderr)
        targets = scenes(stack, directory / "data")
        os.sched_setaffinity(0, of_load)
        print(
            f"{'Encrypt on a key with':32} {'req/s':>8} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs':>8} {'rate':>8} {'by CPU':>8}"
        )
        print("\n".join(measurements(arguments, targets)))


if __name__ == "__main__":
    main()
