"""MongoDB's driver and its libmongocrypt, which writes HTTP of its own into a TLS socket."""

from tests.functional.server_process import ServerProcess
from tests.interop.toolchain import Program, client_environment, python


def test_a_field_and_a_new_master_key(tls_server: ServerProcess) -> None:
    kms = tls_server.client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    environment = client_environment(tls_server.credentials())
    endpoint = tls_server.url.removeprefix("https://")
    driver = Program(python("field_level_encryption.py"), environment)
    assert driver.answer(endpoint, first, second) == {
        "moved": 1,
        "opened": "123-45-6789",
        "same": True,
        "masters": [second],
    }
    used = {(record["eventName"], record["resources"][0]["ARN"]) for record in tls_server.audit_records()}
    assert {("Encrypt", first), ("Decrypt", first), ("Encrypt", second), ("Decrypt", second)} <= used
