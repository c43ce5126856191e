"""The openssl command line with its files in one directory."""

from dataclasses import dataclass
from pathlib import Path

from tests.interop.toolchain import Program

OAEP_SHA_1 = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha1", "rsa_mgf1_md:sha1")
OAEP_SHA_256 = ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256")


@dataclass(frozen=True)
class OpenSsl:
    """What is written goes to a file, whose name is then given to a command."""

    program: Program
    directory: Path

    def run(self, *arguments: str) -> bytes:
        """The output of a command that succeeds."""
        return self.program.output(*arguments)

    def file(self, name: str, content: bytes) -> str:
        """Write a file; its name."""
        (self.directory / name).write_bytes(content)
        return name

    def content(self, name: str) -> bytes:
        """Read a file."""
        return (self.directory / name).read_bytes()

    def public(self, der: bytes) -> str:
        """The name of a PEM file with that public key."""
        self.run(
            "pkey", "-pubin", "-inform", "DER", "-in", self.file("public.der", der), "-out", "public.pem"
        )
        return "public.pem"

    def private(self, *options: str) -> str:
        """The name of a PEM file with a new private key."""
        self.run("genpkey", *options, "-out", "private.pem")
        return "private.pem"

    def pkcs8(self, private: str) -> bytes:
        """A private key as KMS wants it imported."""
        return self.run("pkcs8", "-topk8", "-nocrypt", "-in", private, "-outform", "DER")

    def oaep(self, public: str, plaintext: bytes, options: tuple[str, ...] = OAEP_SHA_256) -> bytes:
        """An RSA ciphertext."""
        chosen = [word for option in options for word in ("-pkeyopt", option)]
        source = self.file("plaintext", plaintext)
        return self.run("pkeyutl", "-encrypt", "-pubin", "-inkey", public, "-in", source, *chosen)

    def key_wrap(self, wrapping: bytes, plaintext: bytes) -> bytes:
        """AES key wrap with padding (RFC 5649), as AWS's guide writes it."""
        source = self.file("unwrapped", plaintext)
        return self.run("enc", "-id-aes256-wrap-pad", "-K", wrapping.hex(), "-iv", "A65959A6", "-in", source)
