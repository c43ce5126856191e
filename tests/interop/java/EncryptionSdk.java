import com.amazonaws.encryptionsdk.AwsCrypto;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.cryptography.materialproviders.IKeyring;
import software.amazon.cryptography.materialproviders.MaterialProviders;
import software.amazon.cryptography.materialproviders.model.CreateAwsKmsDiscoveryKeyringInput;
import software.amazon.cryptography.materialproviders.model.CreateAwsKmsMrkKeyringInput;
import software.amazon.cryptography.materialproviders.model.CreateAwsKmsMultiKeyringInput;
import software.amazon.cryptography.materialproviders.model.MaterialProvidersConfig;

/** AWS Encryption SDK: `encrypt` or `decrypt`, then the keys and the context in JSON; a message in, one out. */
public final class EncryptionSdk {
  private static IKeyring keyring(String kind, List<String> keys, String region) {
    var providers =
        MaterialProviders.builder().MaterialProvidersConfig(MaterialProvidersConfig.builder().build()).build();
    if (kind.equals("discovery")) {
      return providers.CreateAwsKmsDiscoveryKeyring(
          CreateAwsKmsDiscoveryKeyringInput.builder().kmsClient(KmsClient.create()).build());
    }
    if (kind.equals("multi-region")) {
      var kms = KmsClient.builder().region(Region.of(region)).build();
      return providers.CreateAwsKmsMrkKeyring(
          CreateAwsKmsMrkKeyringInput.builder().kmsKeyId(keys.get(0)).kmsClient(kms).build());
    }
    var input = CreateAwsKmsMultiKeyringInput.builder().generator(keys.get(0));
    var others = keys.subList(1, keys.size());
    return providers.CreateAwsKmsMultiKeyring((others.isEmpty() ? input : input.kmsKeyIds(others)).build());
  }

  public static void main(String[] arguments) throws IOException {
    var json = new ObjectMapper();
    var options = json.readTree(arguments[1]);
    var keys = json.convertValue(options.get("keys"), new TypeReference<List<String>>() {});
    var context = json.convertValue(options.get("context"), new TypeReference<Map<String, String>>() {});
    var keyring = keyring(options.get("kind").textValue(), keys, options.path("region").textValue());
    var message = System.in.readAllBytes();
    var crypto = AwsCrypto.standard();
    var done =
        arguments[0].equals("encrypt")
            ? crypto.encryptData(keyring, message, context)
            : crypto.decryptData(keyring, message, context);
    System.out.write(done.getResult());
    System.out.flush();
  }
}
