package main

import (
	"context"
	"crypto/mlkem"
	"crypto/x509/pkix"
	"encoding/asn1"

	"github.com/aws/aws-sdk-go-v2/service/kms"
)

// encapsulate makes a shared secret offline, with the standard library, and has it opened.
func encapsulate(ctx context.Context, client *kms.Client, input given) any {
	found := must(client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &input.KeyId}))
	var public struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	must(asn1.Unmarshal(found.PublicKey, &public))
	var secret, ciphertext []byte
	if len(public.Key.Bytes) == mlkem.EncapsulationKeySize768 {
		secret, ciphertext = must(mlkem.NewEncapsulationKey768(public.Key.Bytes)).Encapsulate()
	} else {
		secret, ciphertext = must(mlkem.NewEncapsulationKey1024(public.Key.Bytes)).Encapsulate()
	}
	opened := must(client.Decapsulate(ctx, &kms.DecapsulateInput{
		KeyId: &input.KeyId, SharedSecretCiphertextBlob: ciphertext, EncapsulationAlgorithm: "ML_KEM",
	}))
	return answer{"algorithm": public.Algorithm.Algorithm.String(), "offline": secret, "opened": opened.SharedSecret}
}
