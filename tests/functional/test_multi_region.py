"""Multi-Region keys: one id and material, everything else of each Region's own."""

import os
from typing import Any

from tests.functional.importing import bring
from tests.functional.server_process import ServerProcess, StartServer
from tests.functional.test_boundaries import refusal, text

HERE, THERE, FARTHER = "us-east-1", "eu-west-1", "ap-southeast-2"


def clients(server: ServerProcess) -> tuple[Any, Any]:
    return server.client("kms"), server.client("kms", region_name=THERE)


def members(kms: Any, key_id: str) -> tuple[str, str, list[str]]:
    """The type of a member, the Region of the primary, and those of the replicas."""
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]
    replicas = [one["Region"] for one in shown["ReplicaKeys"]]
    return shown["MultiRegionKeyType"], shown["PrimaryKey"]["Region"], replicas


def test_members_share_id_and_material_and_nothing_else(server: ServerProcess) -> None:
    here, there = clients(server)
    made = here.create_key(MultiRegion=True, Description="mine")["KeyMetadata"]
    key_id = made["KeyId"]
    assert key_id.startswith("mrk-")
    assert len(key_id) == 36
    assert members(here, key_id) == ("PRIMARY", HERE, [])
    answer = here.replicate_key(KeyId=key_id, ReplicaRegion=THERE, Tags=[{"TagKey": "a", "TagValue": "b"}])
    replica = answer["ReplicaKeyMetadata"]
    assert (replica["KeyState"], replica["Enabled"], replica["Description"]) == ("Creating", False, "")
    assert "CurrentKeyMaterialId" not in replica
    assert (answer["ReplicaTags"], '"key-default-1"' in answer["ReplicaPolicy"]) == (
        [{"TagKey": "a", "TagValue": "b"}], True,
    )  # fmt: skip
    assert members(there, key_id) == ("REPLICA", HERE, [THERE])
    assert members(here, key_id) == ("PRIMARY", HERE, [THERE])
    assert here.list_resource_tags(KeyId=key_id)["Tags"] == []
    blob = here.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    opened = there.decrypt(CiphertextBlob=blob)
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", replica["Arn"])
    there.disable_key(KeyId=key_id)
    assert refusal(there.decrypt, CiphertextBlob=blob) == "DisabledException"
    assert here.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert refusal(here.replicate_key, KeyId=key_id, ReplicaRegion=THERE) == "AlreadyExistsException"
    assert refusal(here.replicate_key, KeyId=key_id, ReplicaRegion=HERE) == "AlreadyExistsException"


def test_the_primary_rotates_for_all(server: ServerProcess) -> None:
    here, there = clients(server)
    key_id = here.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    here.replicate_key(KeyId=key_id, ReplicaRegion=THERE)
    here.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=100)
    assert there.get_key_rotation_status(KeyId=key_id)["RotationPeriodInDays"] == 100
    here.rotate_key_on_demand(KeyId=key_id)
    current = [kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"] for kms in (here, there)]
    assert current[0] == current[1]
    blob = there.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert here.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == current[0]
    arn = there.describe_key(KeyId=key_id)["KeyMetadata"]["Arn"]
    for change in (there.rotate_key_on_demand, there.enable_key_rotation, there.disable_key_rotation):
        assert text(change, KeyId=key_id) == f"{arn} is not a multi-region primary key."


def test_the_primary_moves(server: ServerProcess) -> None:
    here, there = clients(server)
    key_id = here.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    assert refusal(here.update_primary_region, KeyId=key_id, PrimaryRegion=THERE) == "NotFoundException"
    here.replicate_key(KeyId=key_id, ReplicaRegion=THERE)
    here.update_primary_region(KeyId=key_id, PrimaryRegion=THERE)
    assert members(here, key_id) == ("REPLICA", THERE, [HERE])
    assert members(there, key_id) == ("PRIMARY", THERE, [HERE])
    there.rotate_key_on_demand(KeyId=key_id)
    assert refusal(here.replicate_key, KeyId=key_id, ReplicaRegion=FARTHER) == "UnsupportedOperationException"
    there.replicate_key(KeyId=key_id, ReplicaRegion=FARTHER)
    assert members(here, key_id) == ("REPLICA", THERE, [FARTHER, HERE])


def test_single_region_keys_stay_where_they_are(server: ServerProcess) -> None:
    here, there = clients(server)
    made = here.create_key()["KeyMetadata"]
    told = f"{made['Arn']} is not a multi-region primary key."
    assert text(here.replicate_key, KeyId=made["KeyId"], ReplicaRegion=THERE) == told
    assert text(here.update_primary_region, KeyId=made["KeyId"], PrimaryRegion=THERE) == told
    blob = here.encrypt(KeyId=made["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    assert refusal(there.decrypt, CiphertextBlob=blob) == "AccessDeniedException"


def test_a_primary_is_deleted_after_its_replicas(start_server: StartServer) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    here, there = clients(server)
    key_id = here.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    here.replicate_key(KeyId=key_id, ReplicaRegion=THERE)
    waiting = here.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=10)
    assert (waiting["KeyState"], waiting.get("DeletionDate")) == ("PendingReplicaDeletion", None)
    assert here.describe_key(KeyId=key_id)["KeyMetadata"]["PendingDeletionWindowInDays"] == 10
    server.cli("clock", "advance", "40d")
    there.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    server.cli("clock", "advance", "8d")
    assert refusal(there.describe_key, KeyId=key_id) == "NotFoundException"
    assert here.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    server.cli("clock", "advance", "10d")
    assert refusal(here.describe_key, KeyId=key_id) == "NotFoundException"


def test_imported_material_comes_into_each_region(server: ServerProcess) -> None:
    here, there = clients(server)
    key_id = here.create_key(MultiRegion=True, Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    assert refusal(here.replicate_key, KeyId=key_id, ReplicaRegion=THERE) == "KMSInvalidStateException"
    first, second = os.urandom(32), os.urandom(32)
    first_id = bring(here, key_id, first)
    here.replicate_key(KeyId=key_id, ReplicaRegion=THERE)
    assert there.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert bring(there, key_id, first) == first_id
    second_id = bring(here, key_id, second, ImportType="NEW_KEY_MATERIAL")
    states = there.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [(one["KeyMaterialState"], one["ImportState"]) for one in states] == [
        ("CURRENT", "IMPORTED"),
        ("PENDING_MULTI_REGION_IMPORT_AND_ROTATION", "PENDING_IMPORT"),
    ]
    assert refusal(here.rotate_key_on_demand, KeyId=key_id) == "KMSInvalidStateException"
    assert bring(there, key_id, second, ImportType="EXISTING_KEY_MATERIAL") == second_id
    here.rotate_key_on_demand(KeyId=key_id)
    blob = there.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    assert here.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == second_id


def states(kms: Any, key_id: str) -> list[str]:
    listed = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    return [one["KeyMaterialState"] for one in listed]


def test_new_material_waits_for_regions_that_come_and_not_for_those_that_went(
    start_server: StartServer,
) -> None:
    server = start_server(env={"KMS_SERVER_CLOCK_CONTROL": "1"})
    here, there = clients(server)
    key_id = here.create_key(MultiRegion=True, Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    first, second = os.urandom(32), os.urandom(32)
    bring(here, key_id, first)
    bring(here, key_id, second, ImportType="NEW_KEY_MATERIAL", KeyMaterialDescription="two")
    assert states(here, key_id) == ["CURRENT", "PENDING_ROTATION"]
    here.replicate_key(KeyId=key_id, ReplicaRegion=THERE)
    bring(there, key_id, first)
    waiting = ["CURRENT", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"]
    assert states(here, key_id) == states(there, key_id) == waiting
    assert refusal(here.rotate_key_on_demand, KeyId=key_id) == "KMSInvalidStateException"
    bring(here, key_id, second, KeyMaterialDescription="renamed")
    listed = there.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert listed[1]["KeyMaterialDescription"] == "renamed"
    there.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    server.cli("clock", "advance", "8d")
    assert states(here, key_id) == ["CURRENT", "PENDING_ROTATION"]
    here.rotate_key_on_demand(KeyId=key_id)
    assert states(here, key_id) == ["NON_CURRENT", "CURRENT"]


def test_a_replica_stays_in_its_partition(server: ServerProcess) -> None:
    here, _ = clients(server)
    key_id = here.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    assert refusal(here.replicate_key, KeyId=key_id, ReplicaRegion="cn-north-1") == "ValidationException"
