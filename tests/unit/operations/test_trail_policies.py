"""Who may do what with trails, and who sees which."""

from kms_server.operations import explanation
from kms_server.operations.explanation import Question
from kms_server.operations.iam import resource_templates
from kms_server.server.services import services_of
from tests.unit.operations.query_service import allow, records, user
from tests.unit.operations.service import ACCOUNT, REGION, Refusal
from tests.unit.operations.trail_service import BUCKET, CloudTrail

ARN = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail"


def test_policies_speak_of_a_trails_arn(client: CloudTrail) -> None:
    service = client.service
    client.create("mine", TagsList=[{"Key": "team", "Value": "hr"}])
    client.create("other")
    named, by_name = user(service, "named", allow("cloudtrail:*", Resource=f"{ARN}/mine"))
    assert client.call("GetTrail", Name="mine", by=by_name) == client.call("GetTrail", Name="mine")
    for name in ("other", "none"):
        assert client.refused("GetTrail", Name=name, by=by_name) == Refusal(
            "AccessDeniedException",
            f"User: {named.arn} is not authorized to perform: cloudtrail:GetTrail on resource: {ARN}/{name} because no "
            "identity-based policy allows the cloudtrail:GetTrail action",
        )
    assert client.code("ListTrails", by=by_name) == "AccessDeniedException"
    assert client.code("DescribeTrails", by=by_name) == "AccessDeniedException"
    assert client.code("CreateTrail", Name="new", S3BucketName=BUCKET, by=by_name) == "AccessDeniedException"


def test_policies_ask_for_tags(client: CloudTrail) -> None:
    service = client.service
    client.create("mine", TagsList=[{"Key": "team", "Value": "hr"}])
    client.create("other")
    of_team = {"StringEquals": {"aws:ResourceTag/team": "hr"}}
    _, by_tag = user(service, "tagged", allow("cloudtrail:*", Condition=of_team))
    assert client.ok("GetTrail", Name="mine", by=by_tag)
    assert client.code("GetTrail", Name="other", by=by_tag) == "AccessDeniedException"
    requested = {"StringEquals": {"aws:RequestTag/team": "it"}, "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}  # fmt: skip
    _, maker = user(
        service, "maker", allow("cloudtrail:CreateTrail", "cloudtrail:AddTags", Condition=requested)
    )
    members = {"Name": "new", "S3BucketName": BUCKET, "by": maker}
    assert client.code("CreateTrail", **members) == "AccessDeniedException"
    assert client.code("CreateTrail", TagsList=[{"Key": "team", "Value": "hr"}], **members) == "AccessDeniedException"  # fmt: skip
    assert client.ok("CreateTrail", TagsList=[{"Key": "team", "Value": "it"}], **members)
    _, untagging = user(service, "untagging", allow("cloudtrail:CreateTrail"))
    assert client.code("CreateTrail", Name="tagged", S3BucketName=BUCKET, by=untagging, TagsList=[{"Key": "a"}]) == "AccessDeniedException"  # fmt: skip
    assert client.ok("CreateTrail", Name="plain", S3BucketName=BUCKET, by=untagging)


def test_accounts_do_not_see_each_others_trails(client: CloudTrail) -> None:
    stranger = client.service.account("444455556666")
    arn = client.create("abc", IsMultiRegionTrail=True)["TrailARN"]
    assert client.ok("DescribeTrails", by=stranger) == {"trailList": []}
    assert client.ok("ListTrails", by=stranger) == {"Trails": []}
    assert client.code("GetTrail", Name="abc", by=stranger) == "TrailNotFoundException"
    assert client.code("DeleteTrail", Name=arn, by=stranger) == "CloudTrailARNInvalidException"
    assert client.ok("CreateTrail", Name="abc", S3BucketName=BUCKET, by=stranger)
    client.ok("DeleteTrail", Name="abc", by=stranger)
    assert client.ok("GetTrail", Name="abc")
    assert records(client.service, account="444455556666", event="DeleteTrail")


def test_explanations_and_simulations_know_trails(client: CloudTrail) -> None:
    service = client.service
    arn = client.create("mine", TagsList=[{"Key": "team", "Value": "hr"}])["TrailARN"]
    of_team = {"StringEquals": {"aws:ResourceTag/team": "hr"}}
    asker, _ = user(service, "asker", allow("cloudtrail:GetTrail", Condition=of_team))
    services = services_of(service._worker.state)
    now = services.clock.now()
    for resource, allowed in ((arn, True), (f"{ARN}/other", False), ("*", False)):
        principal = explanation.find_caller(services, asker.arn, now)
        question = Question(principal, "cloudtrail:GetTrail", REGION, now, resource=resource)
        assert explanation.tell(services, question).decision.allowed is allowed
    template = "arn:${Partition}:cloudtrail:${Region}:${Account}:trail/${TrailName}"
    assert resource_templates.of("cloudtrail:GetTrail") == template
    assert resource_templates.of("cloudtrail:ListTrails") == "*"
