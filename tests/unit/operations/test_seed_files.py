"""Seed files: what is in them, and every way in which they can be wrong."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

import kms_server
from kms_server.errors import OperatorError
from kms_server.keys.seeds.seed import Home, Seed, SeedAlias
from kms_server.operations import seeding
from tests import seed_files as files

HOME = Home("111122223333", "eu-central-1")
ID = files.AES
HEX = files.material(0x5C)


def parse(text: str) -> Seed:
    return seeding.parse(text.encode(), HOME)


def aes(metadata: str, *materials: str) -> str:
    """A file of local-kms with one key."""
    key = f"Metadata: {{{metadata}}}, BackingKeys: [{', '.join(materials)}]"
    return f"Keys: {{Symmetric: {{Aes: [{{{key}}}]}}}}"


def ours(members: str, key_id: str = ID) -> str:
    return f"Keys:\n- {{KeyId: {key_id}, {members}}}"


def test_a_key_with_everything() -> None:
    seed = parse(f"""
        Keys:
          - KeyId: mrk-{"0" * 31}1
            Account: 000000000000
            Region: us-west-2
            KeySpec: SYMMETRIC_DEFAULT
            KeyUsage: ENCRYPT_DECRYPT
            Origin: AWS_KMS
            Description: "two words"
            Enabled: false
            Policy: {{Version: 2012-10-17, Statement: {{Effect: Allow, Principal: "*", Action: "kms:*", Resource: "*"}}}}
            Tags: {{team: orders, empty:}}
            Aliases: [alias/a, alias/b/c]
            Material: [{{Hex: {HEX}}}, {{Base64: {base64.b64encode(bytes(32)).decode()}}}]
            RotationPeriodInDays: 90
            NextRotationDate: 2030-01-01
    """)
    (key,) = seed.keys
    assert key.material == (bytes.fromhex(HEX), bytes(32))
    assert (key.account, key.region, key.enabled) == ("000000000000", "us-west-2", False)
    assert key.tags == {"team": "orders", "empty": ""}
    assert key.policy == (
        '{"Version": "2012-10-17", "Statement": '
        '{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}}'
    )
    assert (key.rotation_period_days, key.next_rotation) == (90, datetime(2030, 1, 1, tzinfo=UTC).timestamp())
    assert [alias.name for alias in seed.aliases] == ["alias/a", "alias/b/c"]
    made = key.planned("{}", now=5.0)
    assert (made.primary_region, made.state, made.created_at) == ("us-west-2", "Disabled", 5.0)
    assert HEX not in repr(seed)


def test_defaults() -> None:
    (key,) = parse(ours(f"Material: {{Hex: {HEX}}}")).keys
    made = key.planned("{}", now=1.0)
    assert (made.account, made.region) == ("111122223333", "eu-central-1")
    assert (made.spec, made.usage, made.origin, made.state) == (
        "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", "Enabled",
    )  # fmt: skip
    assert (made.rotation_period_days, made.primary_region, key.policy) == (None, None, None)


def test_every_kind_of_key_that_can_be_given() -> None:
    for spec, usage, material in files.every_spec():
        for origin in ("AWS_KMS", "EXTERNAL"):
            (key,) = parse(
                ours(f"KeySpec: {spec}, KeyUsage: {usage}, Origin: {origin}, Material: {material}")
            ).keys
            assert (key.spec, key.usage, key.origin, len(key.material)) == (spec, usage, origin, 1)


def test_pem_in_every_form() -> None:
    key = files.fresh_rsa()
    stored = {
        parse(
            f"Keys:\n  - KeyId: {ID}\n    KeySpec: RSA_2048\n    KeyUsage: SIGN_VERIFY\n"
            f"    Material:\n        Pem: {files.pem(key, form=form)}"
        )
        .keys[0]
        .material
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    }
    assert len(stored) == 1


def test_the_example_of_the_documentation() -> None:
    page = (Path(kms_server.__file__).parents[1] / "docs" / "seeding.md").read_text()
    example = page.split("```yaml\n")[1].split("```")[0]
    head, _, tail = example.partition("|\n        -----BEGIN")
    assert tail.endswith("-----END PRIVATE KEY-----\n")
    seed = parse(head + files.pem(files.fresh_ecc()))
    assert [len(key.material) for key in seed.keys] == [2, 1]


def test_rotation_dates() -> None:
    (key,) = parse(ours(f"Material: {{Hex: {HEX}}}, NextRotationDate: '2019-09-12T15:19:21+00:00'")).keys
    assert key.planned("{}", now=2e9).next_rotation_at == 2e9
    assert key.planned("{}", now=1e9).next_rotation_at == 1_568_301_561.0
    assert key.rotation_period_days == 365


def test_local_kms() -> None:
    rsa_key, ecc_key = files.fresh_rsa(), files.fresh_ecc()
    seed = parse(files.of_local_kms(rsa_key, ecc_key))
    by_id = {key.key_id: key for key in seed.keys}
    assert set(by_id) == {
        files.AES, files.ROTATED, files.OVERDUE, files.GIVEN, files.AWAITED, files.HMAC, files.ECC, files.RSA,
    }  # fmt: skip
    assert by_id[files.ROTATED].material == (b"\xaa" * 32, b"\xab" * 32)
    assert by_id[files.OVERDUE].next_rotation == 1_568_301_561.0
    assert (by_id[files.GIVEN].origin, by_id[files.AWAITED].material) == ("EXTERNAL", ())
    assert by_id[files.HMAC].spec == "HMAC_384"
    assert (by_id[files.ECC].spec, by_id[files.RSA].spec) == ("ECC_NIST_P256", "RSA_2048")
    assert {(key.account, key.region) for key in seed.keys} == {("111122223333", "eu-central-1")}
    assert seed.aliases == [
        SeedAlias("Aliases[0]", "111122223333", "eu-central-1", "alias/testing", files.AES)
    ]


def test_other_versions_of_local_kms() -> None:
    oldest = f"Keys:\n- Metadata: {{KeyId: {ID}}}\n  BackingKeys: [{HEX}]\nAliases:"
    assert parse(oldest).keys[0].material == (bytes.fromhex(HEX),)
    newest = f"""
Version: 2
Aliases: [{{AliasName: alias/x, TargetKeyId: {files.ECC}}}]
Keys:
  - KeyId: {ID}
    Metadata: {{KeySpec: SYMMETRIC_DEFAULT, KeyUsage: ENCRYPT_DECRYPT, Description: AES}}
    NextKeyRotation: 2030-01-01T00:00:00Z
    Material: {{BackingKeys: [{HEX}, {files.material(1)}]}}
  - KeyId: {files.ECC}
    Metadata: {{KeySpec: ECC_NIST_EDWARDS25519, KeyUsage: SIGN_VERIFY}}
    Material:
      PrivateKeyPem: {files.pem(ed25519.Ed25519PrivateKey.generate())}
"""
    seed = parse(newest)
    assert [key.spec for key in seed.keys] == ["SYMMETRIC_DEFAULT", "ECC_NIST_EDWARDS25519"]
    assert seed.keys[0].rotation_period_days == 365


GOOD = f"Material: {{Hex: {HEX}}}"
WRONG = {
    "no file of either kind": ("text", "the file must be a mapping"),
    "an unknown top": ("Kyes: []", "there is no member Kyes here, only Keys"),
    "no list": ("Keys: text", "Keys must be a list"),
    "a key that is none": ("Keys: [text]", "Keys[0] must be a mapping"),
    "an unknown member": (ours(f"{GOOD}, KeyState: Enabled"), "there is no member KeyState here"),
    "no id": (f"Keys: [{{{GOOD}}}]", "Keys[0] has no KeyId"),
    "an upper-case id": (ours(GOOD, ID.replace("-", "A")), "a key id is a UUID in lower case"),
    "an account": (ours(f"{GOOD}, Account: 12"), "an account has twelve digits"),
    "a region": (ours(f"{GOOD}, Region: Frankfurt"), "a Region is written as"),
    "a spec": (ours(f"{GOOD}, KeySpec: AES_256"), "Keys[0].KeySpec must be one of SYMMETRIC_DEFAULT"),
    "a usage": (ours(f"{GOOD}, KeyUsage: SIGN_VERIFY"), "KeyUsage of SYMMETRIC_DEFAULT must be ENCRYPT_DECRYPT"),
    "no usage": (ours(f"{GOOD}, KeySpec: RSA_2048"), "Keys[0] has no KeyUsage"),
    "an origin": (ours(f"{GOOD}, Origin: AWS_CLOUDHSM"), "Origin must be AWS_KMS or EXTERNAL"),
    "no material": (ours("Tags: {}"), "Keys[0] has no material"),
    "a disabled key without": (ours("Origin: EXTERNAL, Enabled: false"), "cannot be disabled"),
    "a flag": (ours(f"{GOOD}, Enabled: yes"), "Keys[0].Enabled must be true or false"),
    "material as a text": (ours(f"Material: {HEX}"), "Keys[0].Material must be a mapping"),
    "material of two kinds": (ours(f"Material: {{Hex: {HEX}, Pem: x}}"), "must have one of Hex, Base64, Pem"),
    "material of no kind": (ours("Material: {}"), "must have one of Hex, Base64, Pem"),
    "short material": (ours(f"Material: {{Hex: {HEX[:-2]}}}"), "is no material of SYMMETRIC_DEFAULT: 31 bytes"),
    "no hexadecimal": (ours(f"Material: {{Hex: {HEX}x}}"), "Material.Hex must be hexadecimal"),
    "no base64": (ours(f"Material: {{Base64: {HEX}=}}"), "Material.Base64 must be base64"),
    "material twice": (ours(f"Material: [{{Hex: {HEX}}}, {{Hex: {HEX}}}]"), "has the same material twice"),
    "a rotated HMAC key": (
        ours(f"KeySpec: HMAC_256, Material: [{{Hex: {HEX}}}, {{Hex: {HEX}00}}]"), "do not rotate and have one material",
    ),
    "a tag of AWS's": (ours(f"{GOOD}, Tags: {{'aws:x': y}}"), "Tags beginning with aws: are reserved"),
    "a tag that is a list": (ours(f"{GOOD}, Tags: {{a: [b]}}"), "Keys[0].Tags must be a text"),
    "a long tag": (ours(f"{GOOD}, Tags: {{a: {'b' * 257}}}"), "a value of at most 256"),
    "many tags": (
        ours(f"{GOOD}, Tags: {{{', '.join(f't{n}: v' for n in range(51))}}}"), "Keys[0]: Too many tags",
    ),
    "a long description": (ours(f"{GOOD}, Description: {'d' * 8_193}"), "at most 8192 characters"),
    "a policy that is none": (ours(f"{GOOD}, Policy: {{Statement: []}}"), "Policy: The policy has no Statement"),
    "a policy as a broken text": (ours(f"{GOOD}, Policy: '{{'"), "Policy: The policy is not valid JSON"),
    "an alias": (ours(f"{GOOD}, Aliases: [orders]"), "Keys[0].Aliases[0]: the name of an alias is alias/"),
    "an alias of AWS's": (ours(f"{GOOD}, Aliases: [alias/aws/s3]"), "alias/aws is reserved"),
    "a long alias": (ours(f"{GOOD}, Aliases: [alias/{'a' * 251}]"), "at most 256 characters"),
    "an alias twice": (ours(f"{GOOD}, Aliases: [alias/a, alias/a]"), "alias/a is there twice"),
    "a key twice": (ours(GOOD) + f"\n- {{KeyId: {ID}, {GOOD}}}", f"the key {ID} is there twice"),
    "a period": (ours(f"{GOOD}, RotationPeriodInDays: 7"), "must be between 90 and 2560 days"),
    "a period in words": (ours(f"{GOOD}, RotationPeriodInDays: a year"), "RotationPeriodInDays must be a number"),
    "a date": (ours(f"{GOOD}, NextRotationDate: soon"), "NextRotationDate must be a date"),
    "a rotating import": (
        ours(f"{GOOD}, Origin: EXTERNAL, RotationPeriodInDays: 90"), "rotate by themselves",
    ),
    "a post-quantum key": (
        ours(f"{GOOD}, KeySpec: ML_KEM_768"), "is no material of ML_KEM_768",
    ),
    "a post-quantum import": (
        ours("Origin: EXTERNAL, KeySpec: ML_DSA_44"), "cannot have the Origin EXTERNAL",
    ),
    "local-kms: a version": ("Version: 3", "Version must be 2"),
    "local-kms: a kind": ("Keys: {Symmetric: {Des: []}}", "there is no member Des here"),
    "local-kms: an id of its own": (aes("KeyId: 0xf39f", HEX), "a key id is a UUID"),
    "local-kms: no metadata": (
        f"Keys: {{Symmetric: {{Aes: [{{BackingKeys: [{HEX}]}}]}}}}", "Keys.Symmetric.Aes[0] has no Metadata",
    ),
    "local-kms: no backing key": (aes(f"KeyId: {ID}"), "has no material"),
    "local-kms: two imports": (
        aes(f"KeyId: {ID}, Origin: EXTERNAL", HEX, files.material(1)), "has at most one backing key",
    ),
    "local-kms: another spec": (aes(f"KeyId: {ID}, KeySpec: HMAC_256", HEX), "is not SYMMETRIC_DEFAULT"),
    "local-kms: an own member": (
        f"Keys: {{Asymmetric: {{Ecc: [{{Metadata: {{KeyId: {ID}}}, PrivateKeyHex: {HEX}}}]}}}}",
        "there is no member PrivateKeyHex here",
    ),
    "local-kms: no PEM": (
        f"Keys: {{Asymmetric: {{Rsa: [{{Metadata: {{KeyId: {ID}}}, PrivateKeyPem: {HEX}}}]}}}}",
        "Rsa[0].PrivateKeyPem is no private key in PEM",
    ),
    "local-kms: an alias of no name": (f"Aliases: [{{TargetKeyId: {ID}}}]", "Aliases[0] has no AliasName"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG.keys())
def test_wrong_files(text: str, message: str) -> None:
    with pytest.raises(OperatorError) as refused:
        parse(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert HEX[:16] not in str(refused.value)


def test_a_member_that_is_material_is_not_shown() -> None:
    with pytest.raises(OperatorError) as refused:
        parse(ours(f"Material: {{{HEX}: Hex}}"))
    assert HEX not in str(refused.value)


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65_537, 1024),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
)
def test_key_pairs_of_other_specs(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    head = f"Keys:\n  - KeyId: {ID}\n    KeySpec: ECC_NIST_P256\n    KeyUsage: SIGN_VERIFY\n    Material:\n"
    with pytest.raises(OperatorError, match="is no material of ECC_NIST_P256: not a key on secp256r1"):
        parse(f"{head}        Pem: {files.pem(key)}")
    with pytest.raises(OperatorError, match="is a private key of none of RSA_2048, RSA_3072, RSA_4096"):
        parse(
            f"Keys:\n  Asymmetric:\n    Rsa:\n    - Metadata: {{KeyId: {ID}}}\n      PrivateKeyPem: {files.pem(key)}"
        )


def test_an_encrypted_key() -> None:
    text = files.fresh_ecc().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password")
    )
    lines = "\n".join(f"          {line}" for line in text.decode().splitlines())
    with pytest.raises(OperatorError, match="Pem is an encrypted private key"):
        parse(f"Keys:\n  - KeyId: {ID}\n    KeySpec: ECC_SECG_P256K1\n    Material:\n        Pem: |\n{lines}")
