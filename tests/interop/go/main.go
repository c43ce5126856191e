// The AWS SDK for Go: one verb per run, its input and its answer in JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

type answer map[string]any

type given struct {
	KeyId            string
	Message          []byte
	SigningAlgorithm types.SigningAlgorithmSpec
	MacAlgorithm     types.MacAlgorithmSpec
	KeyPairSpec      types.DataKeyPairSpec
	PageSize         int32
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func refusal[T error](err error) answer {
	var typed T
	var api smithy.APIError
	if !errors.As(err, &api) {
		panic(err)
	}
	return answer{"name": api.ErrorCode(), "message": api.ErrorMessage(), "typed": errors.As(err, &typed)}
}

func job(ctx context.Context, client *kms.Client, _ given) any {
	created := must(client.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("café ☕")})).KeyMetadata
	alias := aws.String("alias/" + *created.KeyId)
	must(client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: alias, TargetKeyId: created.KeyId}))
	about := map[string]string{"über": "größe", "a": "1"}
	secret := []byte("secret")
	sealed := must(client.Encrypt(ctx, &kms.EncryptInput{KeyId: alias, Plaintext: secret, EncryptionContext: about}))
	blob := sealed.CiphertextBlob
	opened := must(client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: about}))
	dataKey := must(client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: created.KeyId, KeySpec: "AES_256"}))
	_, wrongContext := client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob})
	must(client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: created.KeyId}))
	_, disabled := client.Encrypt(ctx, &kms.EncryptInput{KeyId: created.KeyId, Plaintext: secret})
	_, missing := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/nobody")})
	return answer{
		"arn":               created.Arn,
		"description":       created.Description,
		"created":           created.CreationDate.Format(time.RFC3339Nano),
		"context":           about,
		"ciphertext":        blob,
		"plaintext":         opened.Plaintext,
		"dataKey":           dataKey.Plaintext,
		"dataKeyCiphertext": dataKey.CiphertextBlob,
		"refusals": answer{
			"wrongContext": refusal[*types.InvalidCiphertextException](wrongContext),
			"disabled":     refusal[*types.DisabledException](disabled),
			"missing":      refusal[*types.NotFoundException](missing),
		},
	}
}

func pages(ctx context.Context, client *kms.Client, input given) any {
	found := [][]string{}
	paginator := kms.NewListKeysPaginator(client, &kms.ListKeysInput{Limit: aws.Int32(input.PageSize)})
	for paginator.HasMorePages() {
		page := []string{}
		for _, entry := range must(paginator.NextPage(ctx)).Keys {
			page = append(page, *entry.KeyId)
		}
		found = append(found, page)
	}
	return found
}

func burst(ctx context.Context, client *kms.Client, input given) any {
	for range 3 {
		must(client.Encrypt(ctx, &kms.EncryptInput{KeyId: &input.KeyId, Plaintext: []byte("x")}))
	}
	return answer{"done": 3}
}

func sign(ctx context.Context, client *kms.Client, input given) any {
	public := must(client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &input.KeyId}))
	signed := must(client.Sign(ctx, &kms.SignInput{
		KeyId: &input.KeyId, Message: input.Message, SigningAlgorithm: input.SigningAlgorithm,
	}))
	verify := func(signature []byte) (*kms.VerifyOutput, error) {
		return client.Verify(ctx, &kms.VerifyInput{
			KeyId: &input.KeyId, Message: input.Message, SigningAlgorithm: input.SigningAlgorithm, Signature: signature,
		})
	}
	verified := must(verify(signed.Signature))
	spoilt := append([]byte{}, signed.Signature...)
	spoilt[len(spoilt)-1] ^= 1
	_, refused := verify(spoilt)
	return answer{
		"publicKey":  public.PublicKey,
		"algorithms": public.SigningAlgorithms,
		"signature":  signed.Signature,
		"valid":      verified.SignatureValid,
		"refused":    refusal[*types.KMSInvalidSignatureException](refused),
	}
}

func mac(ctx context.Context, client *kms.Client, input given) any {
	made := must(client.GenerateMac(ctx, &kms.GenerateMacInput{
		KeyId: &input.KeyId, Message: input.Message, MacAlgorithm: input.MacAlgorithm,
	}))
	verified := must(client.VerifyMac(ctx, &kms.VerifyMacInput{
		KeyId: &input.KeyId, Message: input.Message, MacAlgorithm: input.MacAlgorithm, Mac: made.Mac,
	}))
	return answer{"mac": made.Mac, "valid": verified.MacValid}
}

func pair(ctx context.Context, client *kms.Client, input given) any {
	made := must(client.GenerateDataKeyPair(ctx, &kms.GenerateDataKeyPairInput{
		KeyId: &input.KeyId, KeyPairSpec: input.KeyPairSpec,
	}))
	opened := must(client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: made.PrivateKeyCiphertextBlob}))
	return answer{
		"publicKey": made.PublicKey, "privateKey": made.PrivateKeyPlaintext, "opened": opened.Plaintext,
	}
}

func main() {
	verbs := map[string]func(context.Context, *kms.Client, given) any{
		"job": job, "pages": pages, "burst": burst, "encapsulate": encapsulate, "sign": sign, "mac": mac, "pair": pair,
	}
	ctx := context.Background()
	input := given{}
	if text := must(io.ReadAll(os.Stdin)); len(text) > 0 {
		if err := json.Unmarshal(text, &input); err != nil {
			panic(err)
		}
	}
	client := kms.NewFromConfig(must(config.LoadDefaultConfig(ctx)))
	if err := json.NewEncoder(os.Stdout).Encode(verbs[os.Args[1]](ctx, client, input)); err != nil {
		panic(err)
	}
}
