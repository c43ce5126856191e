"""Custom key stores. There are none here: keys live in the service itself, whatever wraps them."""

from collections.abc import Callable

from kms_server import errors as e
from kms_server.operations import access
from kms_server.operations.call import Answer, Call, Operation, Plane
from kms_server.operations.condition_keys import KEY_STORE
from kms_server.schemas import key_stores as schemas
from kms_server.schemas.base import RequestSchema, ResponseSchema


def create_custom_key_store(call: Call) -> Answer:
    """Refuse to make a store (AWS CreateCustomKeyStore)."""
    access.allow_without_key(call)
    raise e.UnsupportedOperationException("Custom key stores are not supported.")


def describe_custom_key_stores(call: Call) -> Answer:
    """An empty page (AWS DescribeCustomKeyStores)."""
    access.allow_without_key(call)
    named = call.get("CustomKeyStoreId"), call.get("CustomKeyStoreName")
    if None not in named:
        raise e.ValidationException("Specify either CustomKeyStoreId or CustomKeyStoreName, not both.")
    if call.get("Marker") is not None:
        raise e.InvalidMarkerException
    if named != (None, None):
        raise _missing(named[0] or named[1])
    return {"CustomKeyStores": [], "Truncated": False}


def no_such_store(call: Call) -> Answer:
    """There is no store to do anything with."""
    access.allow_without_key(call)
    raise _missing(call.parameters["CustomKeyStoreId"])


def _missing(store: str | None) -> e.CustomKeyStoreNotFoundException:
    return e.CustomKeyStoreNotFoundException(f"Custom key store {store} does not exist.")


# Of the settings neither passwords nor credentials, which a record never has.
_SETTINGS = (
    "CloudHsmClusterId", "XksProxyUriEndpoint", "XksProxyUriPath", "XksProxyVpcEndpointServiceName",
    "XksProxyVpcEndpointServiceOwner", "XksProxyConnectivity",
)  # fmt: skip
_STORE_ERRORS = (e.CustomKeyStoreNotFoundException, e.KMSInternalException)


def _row(
    name: str, handler: Callable[[Call], Answer], request: type[RequestSchema], response: type[ResponseSchema],
    summary: str, *settings: str,
) -> Operation:  # fmt: skip
    return Operation(
        name, handler, request, response, Plane.READ, summary, logged=("CustomKeyStoreId", *settings),
        errors=_STORE_ERRORS, read_only=False, conditions=KEY_STORE,
    )  # fmt: skip


OPERATIONS = (
    Operation(
        "CreateCustomKeyStore", create_custom_key_store, schemas.CreateCustomKeyStoreRequest,
        schemas.CreateCustomKeyStoreResponse, Plane.READ, "Not supported.",
        logged=("CustomKeyStoreName", "CustomKeyStoreType", *_SETTINGS),
        errors=(e.KMSInternalException,), read_only=False, conditions=KEY_STORE,
    ),
    Operation(
        "DescribeCustomKeyStores", describe_custom_key_stores, schemas.DescribeCustomKeyStoresRequest,
        schemas.DescribeCustomKeyStoresResponse, Plane.READ, "Lists custom key stores: none.",
        logged=("CustomKeyStoreId", "CustomKeyStoreName"), errors=(*_STORE_ERRORS, e.InvalidMarkerException),
        conditions=KEY_STORE,
    ),
    _row("ConnectCustomKeyStore", no_such_store, schemas.CustomKeyStoreRequest, schemas.CustomKeyStoreResponse,
         "Finds no custom key store to connect."),
    _row("DisconnectCustomKeyStore", no_such_store, schemas.CustomKeyStoreRequest,
         schemas.CustomKeyStoreResponse, "Finds no custom key store to disconnect."),
    _row("UpdateCustomKeyStore", no_such_store, schemas.UpdateCustomKeyStoreRequest,
         schemas.UpdateCustomKeyStoreResponse, "Finds no custom key store to change.", "NewCustomKeyStoreName",
         *_SETTINGS),
    _row("DeleteCustomKeyStore", no_such_store, schemas.CustomKeyStoreRequest, schemas.CustomKeyStoreResponse,
         "Finds no custom key store to delete."),
)  # fmt: skip
