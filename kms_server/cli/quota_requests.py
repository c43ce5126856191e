"""`kms-server quota requests`, `quota approve` and `quota deny`: what users ask for with RequestServiceQuotaIncrease."""

import json
from typing import Unpack

import click

from kms_server.cli.operator import change, opened
from kms_server.cli.options import Where, state_options, state_settings
from kms_server.clock import iso_seconds
from kms_server.errors import OperatorError
from kms_server.quotas import increases, profiles
from kms_server.storage import quota_requests
from kms_server.storage.quota_requests import APPROVED, DENIED, QuotaRequest


@click.command()
@state_options
def requests(**where: Unpack[Where]) -> None:
    """List the requests for quota increases, those that are open with PENDING."""
    with opened(state_settings(**where)) as state, state.database.read() as connection:
        found = quota_requests.every(connection)
    for request in found:
        click.echo(_line(request))


@click.command()
@click.argument("request_id", metavar="REQUEST-ID")
@state_options
def approve(request_id: str, **where: Unpack[Where]) -> None:
    """Grant an open request; the limit holds at once, unless it was set higher since."""
    _settle(request_id, APPROVED, "ApproveQuotaIncrease", **where)


@click.command()
@click.argument("request_id", metavar="REQUEST-ID")
@state_options
def deny(request_id: str, **where: Unpack[Where]) -> None:
    """Refuse an open request; the limit stays as it is."""
    _settle(request_id, DENIED, "DenyQuotaIncrease", **where)


def _settle(request_id: str, status: str, deed: str, **where: Unpack[Where]) -> None:
    with opened(state_settings(**where)) as state:
        with state.database.read() as connection:
            request = quota_requests.get(connection, request_id)
        if request is None:
            raise OperatorError(f"there is no request {request_id}: see `kms-server quota requests`")
        with change(state, deed, request.account, requestId=request_id) as made:
            if not quota_requests.settle(made.tx, request_id, status, state.clock.now()):
                raise OperatorError(f"the request {request_id} is not open: see `kms-server quota requests`")
            if status == APPROVED:
                increases.grant(made.tx, request, profiles.find(profiles.noted(state.settings.state_dir)))


def _line(request: QuotaRequest) -> str:
    caller = json.loads(request.requester)["callerArn"]
    asked = f"{request.account}  {request.region}  {request.quota_id}  {request.desired:g}"
    return f"{request.request_id}  {iso_seconds(request.created_at)}  {request.status}  {asked}  {caller}"
