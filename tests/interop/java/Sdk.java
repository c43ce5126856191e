import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.model.DisabledException;
import software.amazon.awssdk.services.kms.model.InvalidCiphertextException;
import software.amazon.awssdk.services.kms.model.KeyListEntry;
import software.amazon.awssdk.services.kms.model.KmsException;
import software.amazon.awssdk.services.kms.model.KmsInvalidSignatureException;
import software.amazon.awssdk.services.kms.model.NotFoundException;
import software.amazon.awssdk.services.kms.model.VerifyResponse;

/** The AWS SDK for Java: one verb per run, its input and its answer in JSON. */
public final class Sdk {
  private static final KmsClient KMS = KmsClient.create();
  private static final ObjectMapper JSON = new ObjectMapper();

  private static byte[] bytes(SdkBytes found) {
    return found.asByteArray();
  }

  private static SdkBytes message(JsonNode given) throws IOException {
    return SdkBytes.fromByteArray(given.get("Message").binaryValue());
  }

  private static Map<String, Object> refusal(Class<? extends KmsException> expected, Runnable call) {
    try {
      call.run();
    } catch (KmsException refused) {
      return Map.of(
          "name", refused.awsErrorDetails().errorCode(),
          "message", Objects.toString(refused.awsErrorDetails().errorMessage(), ""),
          "typed", expected.isInstance(refused));
    }
    throw new IllegalStateException("it was not refused");
  }

  private static Object job() {
    var created = KMS.createKey(r -> r.description("café ☕")).keyMetadata();
    var key = created.keyId();
    var alias = "alias/" + key;
    KMS.createAlias(r -> r.aliasName(alias).targetKeyId(key));
    var about = Map.of("über", "größe", "a", "1");
    var secret = SdkBytes.fromUtf8String("secret");
    var sealed = KMS.encrypt(r -> r.keyId(alias).plaintext(secret).encryptionContext(about)).ciphertextBlob();
    var opened = KMS.decrypt(r -> r.ciphertextBlob(sealed).encryptionContext(about));
    var dataKey = KMS.generateDataKey(r -> r.keyId(key).keySpec("AES_256"));
    var wrongContext = refusal(InvalidCiphertextException.class, () -> KMS.decrypt(r -> r.ciphertextBlob(sealed)));
    KMS.disableKey(r -> r.keyId(key));
    var disabled = refusal(DisabledException.class, () -> KMS.encrypt(r -> r.keyId(key).plaintext(secret)));
    var missing = refusal(NotFoundException.class, () -> KMS.describeKey(r -> r.keyId("alias/nobody")));
    return Map.of(
        "arn", created.arn(),
        "description", created.description(),
        "created", created.creationDate().toString(),
        "context", about,
        "ciphertext", bytes(sealed),
        "plaintext", bytes(opened.plaintext()),
        "dataKey", bytes(dataKey.plaintext()),
        "dataKeyCiphertext", bytes(dataKey.ciphertextBlob()),
        "refusals", Map.of("wrongContext", wrongContext, "disabled", disabled, "missing", missing));
  }

  private static Object pages(JsonNode given) {
    return KMS.listKeysPaginator(r -> r.limit(given.get("pageSize").intValue())).stream()
        .map(page -> page.keys().stream().map(KeyListEntry::keyId).toList())
        .toList();
  }

  private static Object burst(JsonNode given) {
    var key = given.get("KeyId").textValue();
    for (var number = 0; number < 3; number++) {
      KMS.encrypt(r -> r.keyId(key).plaintext(SdkBytes.fromUtf8String("x")));
    }
    return Map.of("done", 3);
  }

  private static Object sign(JsonNode given) throws IOException {
    var key = given.get("KeyId").textValue();
    var algorithm = given.get("SigningAlgorithm").textValue();
    var message = message(given);
    var found = KMS.getPublicKey(r -> r.keyId(key));
    var signature = KMS.sign(r -> r.keyId(key).message(message).signingAlgorithm(algorithm)).signature();
    var spoilt = bytes(signature);
    spoilt[spoilt.length - 1] ^= 1;
    return Map.of(
        "publicKey", bytes(found.publicKey()),
        "algorithms", found.signingAlgorithmsAsStrings(),
        "signature", bytes(signature),
        "valid", verify(key, algorithm, message, signature).signatureValid(),
        "refused",
            refusal(
                KmsInvalidSignatureException.class,
                () -> verify(key, algorithm, message, SdkBytes.fromByteArray(spoilt))));
  }

  private static VerifyResponse verify(String key, String algorithm, SdkBytes message, SdkBytes signature) {
    return KMS.verify(r -> r.keyId(key).message(message).signingAlgorithm(algorithm).signature(signature));
  }

  private static Object mac(JsonNode given) throws IOException {
    var key = given.get("KeyId").textValue();
    var algorithm = given.get("MacAlgorithm").textValue();
    var message = message(given);
    var mac = KMS.generateMac(r -> r.keyId(key).message(message).macAlgorithm(algorithm)).mac();
    var verified = KMS.verifyMac(r -> r.keyId(key).message(message).macAlgorithm(algorithm).mac(mac));
    return Map.of("mac", bytes(mac), "valid", verified.macValid());
  }

  private static Object pair(JsonNode given) {
    var key = given.get("KeyId").textValue();
    var made = KMS.generateDataKeyPair(r -> r.keyId(key).keyPairSpec(given.get("KeyPairSpec").textValue()));
    var opened = KMS.decrypt(r -> r.ciphertextBlob(made.privateKeyCiphertextBlob()));
    return Map.of(
        "publicKey", bytes(made.publicKey()),
        "privateKey", bytes(made.privateKeyPlaintext()),
        "opened", bytes(opened.plaintext()));
  }

  public static void main(String[] arguments) throws IOException {
    var given = JSON.readTree(System.in);
    var answer =
        switch (arguments[0]) {
          case "job" -> job();
          case "pages" -> pages(given);
          case "burst" -> burst(given);
          case "sign" -> sign(given);
          case "mac" -> mac(given);
          case "pair" -> pair(given);
          default -> throw new IllegalArgumentException(List.of(arguments).toString());
        };
    JSON.writeValue(System.out, answer);
  }
}
