// AWS Encryption SDK: `encrypt` or `decrypt`, then the keys and the context in JSON; a message in, one out.
import { readFileSync, writeSync } from "node:fs";
import {
  AwsKmsMrkAwareSymmetricKeyringNode,
  buildClient,
  CommitmentPolicy,
  getClient,
  KMS,
  KmsKeyringNode,
} from "@aws-crypto/client-node";

const [verb, options] = process.argv.slice(2);
const { kind, keys, context, region } = JSON.parse(options);
const client = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
const [generatorKeyId, ...keyIds] = keys;
const keyrings = {
  symmetric: () => new KmsKeyringNode({ generatorKeyId }),
  several: () => new KmsKeyringNode({ generatorKeyId, keyIds }),
  discovery: () => new KmsKeyringNode({ discovery: true }),
  "multi-region": () =>
    new AwsKmsMrkAwareSymmetricKeyringNode({ keyId: generatorKeyId, client: getClient(KMS)(region) }),
};
const keyring = keyrings[kind]();
const message = readFileSync(0);

if (verb === "encrypt") {
  const { result } = await client.encrypt(keyring, message, { encryptionContext: context });
  writeSync(1, result);
} else {
  const { plaintext, messageHeader } = await client.decrypt(keyring, message);
  for (const [name, value] of Object.entries(context)) {
    if (messageHeader.encryptionContext[name] !== value) throw new Error(`not the context: ${name}`);
  }
  writeSync(1, plaintext);
}
