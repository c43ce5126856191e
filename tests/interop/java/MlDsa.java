import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/** Bouncy Castle's ML-DSA: public key, message and signature in, whether they belong together out. */
public final class MlDsa {
  public static void main(String[] arguments) throws IOException, GeneralSecurityException {
    var given = new ObjectMapper().readTree(System.in);
    var provider = new BouncyCastleProvider();
    var encoded = new X509EncodedKeySpec(given.get("publicKey").binaryValue());
    var verifier = Signature.getInstance("ML-DSA", provider);
    verifier.initVerify(KeyFactory.getInstance("ML-DSA", provider).generatePublic(encoded));
    verifier.update(given.get("message").binaryValue());
    System.out.print(verifier.verify(given.get("signature").binaryValue()));
  }
}
