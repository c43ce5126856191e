"""`kms-server identity explain`: why a call is allowed or denied."""

import json
import re
import sys
from collections.abc import Mapping
from typing import TypedDict, Unpack

import click

from kms_server.audit.lookup import stream
from kms_server.audit.matching import Filter
from kms_server.cli.operator import opened
from kms_server.cli.options import Where, option, region_name, state_options, state_settings
from kms_server.config import DEFAULT_REGION
from kms_server.errors import OperatorError
from kms_server.iam.story import Story
from kms_server.iam.telling import as_json, as_text
from kms_server.operations import explanation, recorded
from kms_server.operations.call import Services
from kms_server.operations.explanation import Question
from kms_server.operations.recorded import Recorded
from kms_server.server.services import services_of

_REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Asked(TypedDict):
    """What the options say of a call that somebody could make."""

    principal: str | None
    action: str | None
    key: str | None
    resource: str | None
    region: str
    context: tuple[str, ...]
    encryption_context: tuple[str, ...]


class Options(Where, Asked):
    """All options that are about the call, or about the server."""


@click.command()
@option("--principal", metavar="ARN", help="Who: a user, a role, a role's session, or an account's root.")
@option("--action", metavar="NAME", help="What, such as kms:Decrypt.")
@option("--key", metavar="KEY", help="On which KMS key: an id, an alias, or the ARN of either.")
@option("--resource", metavar="ARN", help="On what else, where it is no key. Default: *.")
@option("--region", callback=region_name, default=DEFAULT_REGION, help="Region of a key without ARN.")
@option("--context", multiple=True, metavar="KEY=VALUE", help="A condition key; again for more values.")
@option("--encryption-context", multiple=True, metavar="KEY=VALUE", help="A pair of the encryption context.")
@option("--request-id", metavar="ID", help="Explain this call of the audit log instead.")
@option("--json", "as_json_", is_flag=True, help="Print JSON.")
@state_options
def explain(*, request_id: str | None, as_json_: bool, **options: Unpack[Options]) -> None:
    """Tell why a call is allowed or denied, and what would help.

    Every policy that has a say is listed with its statements, each with what keeps it from applying; and the
    grants on the key. Nothing is called and nothing changes. The exit code is 0 when the call is allowed, 1 when
    it is denied, 2 when it cannot be told.

    \b
    A call that somebody could make:
      kms-server identity explain --principal arn:aws:iam::000000000000:user/mira \\
        --action kms:Decrypt --key alias/orders --encryption-context tenant=7

    Condition keys of the caller, the key and the time are known. What a request would bring along is for you to
    say: --context aws:SourceIp=10.0.0.7, --context kms:ViaService=s3.us-east-1.amazonaws.com.

    \b
    A call that was made, by the request id of its error:
      kms-server identity explain --request-id 6d3a4a1e-8f8e-4c27-9d0b-0c5a3f9d2b11

    The policies are those of now, not those of then. Session policies and session tags are in no record.
    """
    where = Where(
        data_dir=options["data_dir"], database_url=options["database_url"], root_key=options["root_key"]
    )
    with opened(state_settings(**where)) as state:
        services = services_of(state)
        if request_id is None:
            then, question = None, _asked(services, options)
        else:
            then = recorded.rebuild(services, _record(services, request_id, options))
            question = then.question
        story = explanation.tell(services, question)
    click.echo(_json(story, then) if as_json_ else _text(story, then))
    sys.exit(0 if story.decision.allowed else 1)


def _asked(services: Services, options: Asked) -> Question:
    arn, action, key = options["principal"], options["action"], options["key"]
    if arn is None or action is None:
        raise OperatorError("give --principal and --action, or --request-id")
    if key is not None and options["resource"] is not None:
        raise OperatorError("give either --key or --resource")
    now = services.clock.now()
    encryption_context = {name: values[-1] for name, values in _pairs(options["encryption_context"]).items()}
    return Question(
        explanation.find_caller(services, arn, now), explanation.find_action(action),
        explanation.region_of(key or "", options["region"]), now, key, options["resource"] or "*",
        _pairs(options["context"]), encryption_context=encryption_context,
    )  # fmt: skip


def _pairs(texts: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise OperatorError(f"{text!r} is no pair: write KEY=VALUE")
        found[name] = (*found.get(name, ()), value)
    return found


def _record(services: Services, request_id: str, options: Asked) -> Mapping[str, object]:
    if options["principal"] or options["action"] or options["key"] or options["resource"]:
        raise OperatorError("--request-id says it all: leave out --principal, --action, --key and --resource")
    if _REQUEST_ID.fullmatch(request_id) is None:
        raise OperatorError(
            f"{request_id!r} is no request id: it is the UUID that clients show with an error"
        )
    row = next(stream(services.audit_sources(), Filter(request_id=request_id, limit=1)), None)
    if row is None:
        raise OperatorError(f"the audit log has no request {request_id}")
    record: Mapping[str, object] = json.loads(row.record)
    return record


def _text(story: Story, then: Recorded | None) -> str:
    if then is None:
        return as_text(story)
    outcome = then.error_code or "no error"
    lines = [
        f"Then, {then.time}: {outcome}. Below is what the policies, grants, tags and aliases of now say.",
        "",
    ]
    gaps = [f"  - {gap}" for gap in then.gaps]
    return "\n".join(
        [*lines, as_text(story), *(["", "not in the record, and not considered", *gaps] if gaps else [])]
    )


def _json(story: Story, then: Recorded | None) -> str:
    recorded_ = {} if then is None else {
        "recorded": {"time": then.time, "errorCode": then.error_code, "notInTheRecord": list(then.gaps)}
    }  # fmt: skip
    return json.dumps(as_json(story) | recorded_, indent=2, ensure_ascii=False)
