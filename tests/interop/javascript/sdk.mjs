// The AWS SDK for JavaScript: one verb per run, its input and its answer in JSON.
import { readFileSync } from "node:fs";
import * as sdk from "@aws-sdk/client-kms";

const kms = new sdk.KMSClient({});
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const text = (found) => Buffer.from(found).toString("base64");

async function refusal(command) {
  try {
    await kms.send(command);
    return null;
  } catch (error) {
    return { name: error.name, message: error.message, typed: error instanceof sdk[error.name] };
  }
}

const verbs = {
  async job() {
    const { KeyMetadata: created } = await kms.send(new sdk.CreateKeyCommand({ Description: "café ☕" }));
    const KeyId = created.KeyId;
    const AliasName = `alias/${KeyId}`;
    await kms.send(new sdk.CreateAliasCommand({ AliasName, TargetKeyId: KeyId }));
    const EncryptionContext = { über: "größe", a: "1" };
    const Plaintext = bytes("c2VjcmV0");
    const sealed = await kms.send(new sdk.EncryptCommand({ KeyId: AliasName, Plaintext, EncryptionContext }));
    const { CiphertextBlob } = sealed;
    const opened = await kms.send(new sdk.DecryptCommand({ CiphertextBlob, EncryptionContext }));
    const dataKey = await kms.send(new sdk.GenerateDataKeyCommand({ KeyId, KeySpec: "AES_256" }));
    const wrongContext = await refusal(new sdk.DecryptCommand({ CiphertextBlob }));
    await kms.send(new sdk.DisableKeyCommand({ KeyId }));
    const disabled = await refusal(new sdk.EncryptCommand({ KeyId, Plaintext }));
    const missing = await refusal(new sdk.DescribeKeyCommand({ KeyId: "alias/nobody" }));
    return {
      arn: created.Arn,
      description: created.Description,
      created: created.CreationDate.toISOString(),
      context: EncryptionContext,
      ciphertext: text(CiphertextBlob),
      plaintext: text(opened.Plaintext),
      dataKey: text(dataKey.Plaintext),
      dataKeyCiphertext: text(dataKey.CiphertextBlob),
      refusals: { wrongContext, disabled, missing },
    };
  },

  async pages({ pageSize }) {
    const pages = [];
    for await (const page of sdk.paginateListKeys({ client: kms, pageSize }, {})) {
      pages.push(page.Keys.map((entry) => entry.KeyId));
    }
    return pages;
  },

  async burst({ KeyId }) {
    for (let number = 0; number < 3; number += 1) {
      await kms.send(new sdk.EncryptCommand({ KeyId, Plaintext: bytes("eA==") }));
    }
    return { done: 3 };
  },

  async sign({ KeyId, Message, SigningAlgorithm }) {
    const input = { KeyId, Message: bytes(Message), SigningAlgorithm };
    const { PublicKey, SigningAlgorithms } = await kms.send(new sdk.GetPublicKeyCommand({ KeyId }));
    const { Signature } = await kms.send(new sdk.SignCommand(input));
    const verified = await kms.send(new sdk.VerifyCommand({ ...input, Signature }));
    const spoilt = Signature.with(-1, Signature.at(-1) ^ 1);
    return {
      publicKey: text(PublicKey),
      algorithms: SigningAlgorithms,
      signature: text(Signature),
      valid: verified.SignatureValid,
      refused: await refusal(new sdk.VerifyCommand({ ...input, Signature: spoilt })),
    };
  },

  async mac({ KeyId, Message, MacAlgorithm }) {
    const input = { KeyId, Message: bytes(Message), MacAlgorithm };
    const { Mac } = await kms.send(new sdk.GenerateMacCommand(input));
    const { MacValid } = await kms.send(new sdk.VerifyMacCommand({ ...input, Mac }));
    return { mac: text(Mac), valid: MacValid };
  },

  async pair({ KeyId, KeyPairSpec }) {
    const made = await kms.send(new sdk.GenerateDataKeyPairCommand({ KeyId, KeyPairSpec }));
    const opened = await kms.send(new sdk.DecryptCommand({ CiphertextBlob: made.PrivateKeyCiphertextBlob }));
    return {
      publicKey: text(made.PublicKey),
      privateKey: text(made.PrivateKeyPlaintext),
      opened: text(opened.Plaintext),
    };
  },
};

const input = readFileSync(0, "utf8");
console.log(JSON.stringify(await verbs[process.argv[2]](input ? JSON.parse(input) : {})));
