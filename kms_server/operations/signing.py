"""Sign, Verify, GenerateMac, VerifyMac."""

import hmac

from kms_server import errors as e
from kms_server.keyring.usable_key import UsableKey
from kms_server.keys.specs import MAC, SIGN
from kms_server.keys.states import USE
from kms_server.operations import access
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY_BY_ALIAS, sent
from kms_server.operations.guards import stop_dry_run
from kms_server.schemas import signing as schemas


def sign(call: Call) -> Answer:
    """Sign a message, its digest or its ML-DSA representative (AWS Sign)."""
    usable, algorithm, message_type = _signing_key(call)
    signature = usable.signing().sign(algorithm, call.parameters["Message"], message_type)
    stop_dry_run(call)
    return {"KeyId": usable.key.arn, "Signature": signature, "SigningAlgorithm": algorithm}


def verify(call: Call) -> Answer:
    """Check a signature; a wrong one is an error (AWS Verify)."""
    usable, algorithm, message_type = _signing_key(call)
    usable.signing().verify(algorithm, call.parameters["Message"], message_type, call.parameters["Signature"])
    stop_dry_run(call)
    return {"KeyId": usable.key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def generate_mac(call: Call) -> Answer:
    """The HMAC of a message (AWS GenerateMac)."""
    usable, algorithm = _mac_key(call)
    tag = usable.mac().mac(call.parameters["Message"])
    stop_dry_run(call)
    return {"KeyId": usable.key.arn, "Mac": tag, "MacAlgorithm": algorithm}


def verify_mac(call: Call) -> Answer:
    """Check an HMAC; a wrong one is an error (AWS VerifyMac)."""
    usable, algorithm = _mac_key(call)
    if not hmac.compare_digest(usable.mac().mac(call.parameters["Message"]), call.parameters["Mac"]):
        raise e.KMSInvalidMacException
    stop_dry_run(call)
    return {"KeyId": usable.key.arn, "MacValid": True, "MacAlgorithm": algorithm}


def _signing_key(call: Call) -> tuple[UsableKey, str, str]:
    message_type = call.get("MessageType", "RAW")
    call.logged_extra = {"messageType": message_type}
    usable = access.use_key(call, call.parameters["KeyId"])
    algorithm = call.parameters["SigningAlgorithm"]
    usable.spec.require(algorithm, SIGN)
    return usable, algorithm, message_type


def _mac_key(call: Call) -> tuple[UsableKey, str]:
    usable = access.use_key(call, call.parameters["KeyId"])
    algorithm = call.parameters["MacAlgorithm"]
    usable.spec.require(algorithm, MAC)
    return usable, algorithm


_MAC_ERRORS = (
    e.NotFoundException, e.DisabledException, e.KeyUnavailableException, e.InvalidKeyUsageException,
    e.KMSInvalidStateException, e.InvalidGrantTokenException, e.KMSInternalException, e.DryRunOperationException,
)  # fmt: skip
_ERRORS = (*_MAC_ERRORS, e.DependencyTimeoutException)
_MEMBERS = ("KeyId", "MessageType", "SigningAlgorithm", "DryRun")
_MAC_MEMBERS = ("KeyId", "MacAlgorithm", "DryRun")
_CONDITIONS = {
    **KEY_BY_ALIAS, "kms:SigningAlgorithm": sent("SigningAlgorithm"), "kms:MessageType": sent("MessageType", "RAW"),
}  # fmt: skip
_MAC_CONDITIONS = {**KEY_BY_ALIAS, "kms:MacAlgorithm": sent("MacAlgorithm")}

OPERATIONS = (
    Operation(
        "Sign", sign, schemas.SignRequest, schemas.SignResponse, Plane.DATA,
        "Signs a message or a digest.", logged=_MEMBERS, errors=_ERRORS, conditions=_CONDITIONS,
        rule=USE, usage=SIGN, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "Verify", verify, schemas.VerifyRequest, schemas.VerifyResponse, Plane.DATA,
        "Verifies a signature.", logged=_MEMBERS, errors=(*_ERRORS, e.KMSInvalidSignatureException),
        conditions=_CONDITIONS,
        rule=USE, usage=SIGN, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "GenerateMac", generate_mac, schemas.GenerateMacRequest, schemas.GenerateMacResponse, Plane.DATA,
        "Returns the HMAC of a message.", logged=_MAC_MEMBERS, errors=_MAC_ERRORS, conditions=_MAC_CONDITIONS,
        rule=USE, usage=MAC, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
    Operation(
        "VerifyMac", verify_mac, schemas.VerifyMacRequest, schemas.VerifyMacResponse, Plane.DATA,
        "Verifies an HMAC.", logged=_MAC_MEMBERS, errors=(*_MAC_ERRORS, e.KMSInvalidMacException),
        conditions=_MAC_CONDITIONS,
        rule=USE, usage=MAC, aliases_allowed=True, cross_account=True, shared_quota=True,
    ),
)  # fmt: skip
