import static software.amazon.encryption.s3.S3EncryptionClient.withAdditionalConfiguration;

import java.io.IOException;
import java.util.Map;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.s3.S3AsyncClient;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.encryption.s3.S3EncryptionClient;
import software.amazon.encryption.s3.materials.KmsKeyring;

/** Amazon S3 Encryption Client: `put` or `get`, then a KMS key, a bucket and a key; plaintext in or out. */
public final class S3Encryption {
  private static final Map<String, String> CONTEXT = Map.of("department", "research & development");

  public static void main(String[] arguments) throws IOException {
    var keyring =
        KmsKeyring.builder().kmsClient(KmsClient.create()).wrappingKeyId(arguments[1]).build();
    // An address of a host without a name has no place for a bucket.
    var wrapped = S3Client.builder().forcePathStyle(true).build();
    var several = S3AsyncClient.builder().forcePathStyle(true).build();
    try (var client =
        S3EncryptionClient.builderV4()
            .wrappedClient(wrapped)
            .wrappedAsyncClient(several)
            .keyring(keyring)
            .build()) {
      if (arguments[0].equals("put")) {
        var plaintext = RequestBody.fromBytes(System.in.readAllBytes());
        client.putObject(
            put ->
                put.bucket(arguments[2])
                    .key(arguments[3])
                    .overrideConfiguration(withAdditionalConfiguration(CONTEXT)),
            plaintext);
      } else {
        var found =
            client.getObjectAsBytes(
                get ->
                    get.bucket(arguments[2])
                        .key(arguments[3])
                        .overrideConfiguration(withAdditionalConfiguration(CONTEXT)));
        System.out.write(found.asByteArray());
        System.out.flush();
      }
    }
  }
}
