"""Rotation; ScheduleKeyRotation and CancelScheduledKeyRotation are extensions of this service."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.common import key_id, limit, marker
from kms_server.schemas.fields import Boolean, Choice, Integer, ListOf, Structure, Text, Timestamp


class _KeyIdRequest(RequestSchema):
    KeyId = key_id()


class EnableKeyRotationRequest(_KeyIdRequest):
    """Input of EnableKeyRotation."""

    RotationPeriodInDays = Integer(90, 2560)


class DisableKeyRotationRequest(_KeyIdRequest):
    """Input of DisableKeyRotation."""


class GetKeyRotationStatusRequest(_KeyIdRequest):
    """Input of GetKeyRotationStatus."""


class GetKeyRotationStatusResponse(ResponseSchema):
    """Output of GetKeyRotationStatus; ScheduledRotationDate is an extension."""

    KeyRotationEnabled = Boolean()
    KeyId = key_id(required=False)
    RotationPeriodInDays = Integer(90, 2560)
    NextRotationDate = Timestamp()
    OnDemandRotationStartDate = Timestamp()
    ScheduledRotationDate = Timestamp()


class RotateKeyOnDemandRequest(_KeyIdRequest):
    """Input of RotateKeyOnDemand."""


class RotateKeyOnDemandResponse(ResponseSchema):
    """Output of RotateKeyOnDemand."""

    KeyId = key_id(required=False)


class ListKeyRotationsRequest(_KeyIdRequest):
    """Input of ListKeyRotations."""

    IncludeKeyMaterial = Choice("ALL_KEY_MATERIAL", "ROTATIONS_ONLY")
    Limit = limit()
    Marker = marker()


class RotationsListEntry(Shape):
    """One version of a key's material."""

    KeyId = key_id(required=False)
    KeyMaterialId = Text(64, 64, "^[a-f0-9]+$")
    KeyMaterialDescription = Text(0, 256, r"^[a-zA-Z0-9:/_\s.-]+$")
    ImportState = Choice("IMPORTED", "PENDING_IMPORT")
    KeyMaterialState = Choice(
        "NON_CURRENT", "CURRENT", "PENDING_ROTATION", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
    )
    ExpirationModel = Choice("KEY_MATERIAL_DOES_NOT_EXPIRE", "KEY_MATERIAL_EXPIRES")
    ValidTo = Timestamp()
    RotationDate = Timestamp()
    RotationType = Choice("AUTOMATIC", "ON_DEMAND")


class ListKeyRotationsResponse(ResponseSchema):
    """Output of ListKeyRotations."""

    Rotations = ListOf(Structure(RotationsListEntry))
    NextMarker = marker()
    Truncated = Boolean()


class ScheduleKeyRotationRequest(_KeyIdRequest):
    """Input of ScheduleKeyRotation: exactly one of date and period."""

    RotationDate = Timestamp()
    RotationPeriodInDays = Integer(90, 2560)


class ScheduleKeyRotationResponse(ResponseSchema):
    """Output of ScheduleKeyRotation."""

    KeyId = key_id(required=False)
    RotationDate = Timestamp()
    RotationPeriodInDays = Integer(90, 2560)


class CancelScheduledKeyRotationRequest(_KeyIdRequest):
    """Input of CancelScheduledKeyRotation."""
