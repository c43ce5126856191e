"""Custom key stores: the operations exist, the stores do not."""

from kms_server.schemas.base import RequestSchema, ResponseSchema, Shape
from kms_server.schemas.common import limit, marker
from kms_server.schemas.fields import Boolean, Choice, ListOf, Structure, Text, Timestamp

_STORE_TYPES = ("AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")
_CONNECTIVITIES = ("PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE")


def _store_id(*, required: bool = False) -> Text:
    return Text(1, 64, required=required)


def _cluster_id() -> Text:
    return Text(19, 24, "cluster-[2-7a-zA-Z]{11,16}")


def _endpoint() -> Text:
    return Text(10, 128, r"^https://[a-zA-Z0-9.-]+$")


def _uri_path() -> Text:
    return Text(10, 128, r"^(/[a-zA-Z0-9\/_-]+/kms/xks/v\d{1,2})$|^(/kms/xks/v\d{1,2})$")


def _vpc_service() -> Text:
    return Text(20, 64, r"^(com|eu)\.amazonaws\.vpce\.([a-z]+-){2,3}\d+\.vpce-svc-[0-9a-z]+$")


def _owner() -> Text:
    return Text(12, 12, r"[0-9]{12}")


class XksProxyAuthenticationCredentialType(Shape):
    """What an external key store's proxy is called with."""

    AccessKeyId = Text(20, 30, r"^[A-Z2-7]+$", required=True, sensitive=True)
    RawSecretAccessKey = Text(43, 64, r"^[a-zA-Z0-9\/+=]+$", required=True, sensitive=True)


class XksProxyConfigurationType(Shape):
    """Where an external key store's proxy is."""

    Connectivity = Choice(*_CONNECTIVITIES)
    AccessKeyId = Text(20, 30, r"^[A-Z2-7]+$", sensitive=True)
    UriEndpoint = _endpoint()
    UriPath = _uri_path()
    VpcEndpointServiceName = _vpc_service()
    VpcEndpointServiceOwner = _owner()


class _StoreSettings(RequestSchema):
    KeyStorePassword = Text(7, 32, sensitive=True)
    CloudHsmClusterId = _cluster_id()
    XksProxyUriEndpoint = _endpoint()
    XksProxyUriPath = _uri_path()
    XksProxyVpcEndpointServiceName = _vpc_service()
    XksProxyVpcEndpointServiceOwner = _owner()
    XksProxyAuthenticationCredential = Structure(XksProxyAuthenticationCredentialType)
    XksProxyConnectivity = Choice(*_CONNECTIVITIES)


class CreateCustomKeyStoreRequest(_StoreSettings):
    """Input of CreateCustomKeyStore."""

    CustomKeyStoreName = Text(1, 256, required=True)
    TrustAnchorCertificate = Text(1, 5000)
    CustomKeyStoreType = Choice(*_STORE_TYPES)


class CreateCustomKeyStoreResponse(ResponseSchema):
    """Output of CreateCustomKeyStore."""

    CustomKeyStoreId = _store_id()


class CustomKeyStoresListEntry(Shape):
    """One custom key store of a list."""

    CustomKeyStoreId = _store_id()
    CustomKeyStoreName = Text(1, 256)
    CloudHsmClusterId = _cluster_id()
    TrustAnchorCertificate = Text(1, 5000)
    ConnectionState = Choice("CONNECTED", "CONNECTING", "FAILED", "DISCONNECTED", "DISCONNECTING")
    ConnectionErrorCode = Choice(
        "INVALID_CREDENTIALS", "CLUSTER_NOT_FOUND", "NETWORK_ERRORS", "INTERNAL_ERROR", "INSUFFICIENT_CLOUDHSM_HSMS",
        "USER_LOCKED_OUT", "USER_NOT_FOUND", "USER_LOGGED_IN", "SUBNET_NOT_FOUND",
        "INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET", "XKS_PROXY_ACCESS_DENIED", "XKS_PROXY_NOT_REACHABLE",
        "XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND", "XKS_PROXY_INVALID_RESPONSE", "XKS_PROXY_INVALID_CONFIGURATION",
        "XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION", "XKS_PROXY_TIMED_OUT", "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    )  # fmt: skip
    CreationDate = Timestamp()
    CustomKeyStoreType = Choice(*_STORE_TYPES)
    XksProxyConfiguration = Structure(XksProxyConfigurationType)


class DescribeCustomKeyStoresRequest(RequestSchema):
    """Input of DescribeCustomKeyStores."""

    CustomKeyStoreId = _store_id()
    CustomKeyStoreName = Text(1, 256)
    Limit = limit()
    Marker = marker()


class DescribeCustomKeyStoresResponse(ResponseSchema):
    """Output of DescribeCustomKeyStores."""

    CustomKeyStores = ListOf(Structure(CustomKeyStoresListEntry))
    NextMarker = marker()
    Truncated = Boolean()


class UpdateCustomKeyStoreRequest(_StoreSettings):
    """Input of UpdateCustomKeyStore."""

    CustomKeyStoreId = _store_id(required=True)
    NewCustomKeyStoreName = Text(1, 256)


class UpdateCustomKeyStoreResponse(ResponseSchema):
    """Output of UpdateCustomKeyStore."""


class CustomKeyStoreRequest(RequestSchema):
    """Input of ConnectCustomKeyStore, DisconnectCustomKeyStore and DeleteCustomKeyStore."""

    CustomKeyStoreId = _store_id(required=True)


class CustomKeyStoreResponse(ResponseSchema):
    """Output of ConnectCustomKeyStore, DisconnectCustomKeyStore and DeleteCustomKeyStore."""
