import com.amazonaws.encryptionsdk.AwsCrypto;
import com.amazonaws.encryptionsdk.CryptoAlgorithm;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.model.EncryptionAlgorithmSpec;
import software.amazon.cryptography.materialproviders.IKeyring;
import software.amazon.cryptography.materialproviders.MaterialProviders;
import software.amazon.cryptography.materialproviders.model.CreateAwsKmsDiscoveryKeyringInput;
import software.amazon.cryptography.materialproviders.model.CreateAwsKmsEcdhKeyringInput;
import software.amazon.cryptography.materialproviders.model.CreateAwsKmsMrkKeyringInput;
import software.amazon.cryptography.materialproviders.model.CreateAwsKmsMultiKeyringInput;
import software.amazon.cryptography.materialproviders.model.CreateAwsKmsRsaKeyringInput;
import software.amazon.cryptography.materialproviders.model.KmsEcdhStaticConfigurations;
import software.amazon.cryptography.materialproviders.model.KmsPrivateKeyToStaticPublicKeyInput;
import software.amazon.cryptography.materialproviders.model.MaterialProvidersConfig;
import software.amazon.cryptography.primitives.model.ECDHCurveSpec;

/** AWS Encryption SDK: `encrypt` or `decrypt`, then the keys and the context in JSON; a message in, one out. */
public final class EncryptionSdk {
  private static final MaterialProviders PROVIDERS =
      MaterialProviders.builder().MaterialProvidersConfig(MaterialProvidersConfig.builder().build()).build();

  private static IKeyring keyring(JsonNode options, List<String> keys) {
    var region = options.path("region").textValue();
    var kms = (region == null ? KmsClient.builder() : KmsClient.builder().region(Region.of(region))).build();
    var publicKey = options.path("public_key").asText();
    return switch (options.get("kind").textValue()) {
      case "discovery" -> PROVIDERS.CreateAwsKmsDiscoveryKeyring(
          CreateAwsKmsDiscoveryKeyringInput.builder().kmsClient(kms).build());
      case "multi-region" -> PROVIDERS.CreateAwsKmsMrkKeyring(
          CreateAwsKmsMrkKeyringInput.builder().kmsKeyId(keys.get(0)).kmsClient(kms).build());
      case "rsa" -> PROVIDERS.CreateAwsKmsRsaKeyring(
          CreateAwsKmsRsaKeyringInput.builder()
              .kmsKeyId(keys.get(0))
              .publicKey(pem(publicKey))
              .encryptionAlgorithm(EncryptionAlgorithmSpec.RSAES_OAEP_SHA_256)
              .kmsClient(kms)
              .build());
      case "ecdh" -> PROVIDERS.CreateAwsKmsEcdhKeyring(
          CreateAwsKmsEcdhKeyringInput.builder()
              .KeyAgreementScheme(agreement(keys.get(0), publicKey))
              .curveSpec(ECDHCurveSpec.ECC_NIST_P256)
              .kmsClient(kms)
              .build());
      default -> several(keys);
    };
  }

  private static IKeyring several(List<String> keys) {
    var input = CreateAwsKmsMultiKeyringInput.builder().generator(keys.get(0));
    var others = keys.subList(1, keys.size());
    return PROVIDERS.CreateAwsKmsMultiKeyring((others.isEmpty() ? input : input.kmsKeyIds(others)).build());
  }

  private static KmsEcdhStaticConfigurations agreement(String key, String peer) {
    var pair =
        KmsPrivateKeyToStaticPublicKeyInput.builder()
            .senderKmsIdentifier(key)
            .recipientPublicKey(ByteBuffer.wrap(Base64.getDecoder().decode(peer)))
            .build();
    return KmsEcdhStaticConfigurations.builder().KmsPrivateKeyToStaticPublicKey(pair).build();
  }

  private static ByteBuffer pem(String der) {
    var text = "-----BEGIN PUBLIC KEY-----\n" + der + "\n-----END PUBLIC KEY-----\n";
    return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
  }

  public static void main(String[] arguments) throws IOException {
    var json = new ObjectMapper();
    var options = json.readTree(arguments[1]);
    var keys = json.convertValue(options.get("keys"), new TypeReference<List<String>>() {});
    var context = json.convertValue(options.get("context"), new TypeReference<Map<String, String>>() {});
    var keyring = keyring(options, keys);
    var message = System.in.readAllBytes();
    var unsigned = options.get("kind").textValue().equals("rsa");
    var crypto =
        AwsCrypto.builder()
            .withEncryptionAlgorithm(
                unsigned
                    ? CryptoAlgorithm.ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY
                    : CryptoAlgorithm.ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384)
            .build();
    var done =
        arguments[0].equals("encrypt")
            ? crypto.encryptData(keyring, message, context)
            : crypto.decryptData(keyring, message, context);
    System.out.write(done.getResult());
    System.out.flush();
  }
}
