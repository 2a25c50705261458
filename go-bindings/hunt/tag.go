package hunt

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
)

// keyLabel separates players' keys from everything else that might be hashed with the secret one day.
const keyLabel = "ironhoard player key"

// SecretSize is the number of bytes of a world's secret.
const SecretSize = 32

// Secret is the secret of one game world, from which all players' keys come. It is not shown by fmt.
type Secret struct{ bytes [SecretSize]byte }

// Key is what one player signs its moves with. It is not shown by fmt.
type Key struct{ bytes [TagSize]byte }

// NewSecret takes 32 bytes, which should come from crypto/rand.
func NewSecret(bytes [SecretSize]byte) Secret { return Secret{bytes} }

// SecretFromSeed is a secret for demos and tests: whoever knows the seed knows all keys. `ironhoard
// serve` uses seed 1 where it is not told otherwise.
func SecretFromSeed(seed uint64) Secret {
	const label = "ironhoard demo secret"
	return Secret{sha256.Sum256(binary.LittleEndian.AppendUint64([]byte(label), seed))}
}

// Key gives the key of one player: the first half of SHA-256 over label, secret and player.
func (s Secret) Key(player uint64) Key {
	var input [len(keyLabel) + SecretSize + 8]byte
	copy(input[:], keyLabel)
	copy(input[len(keyLabel):], s.bytes[:])
	binary.LittleEndian.PutUint64(input[len(keyLabel)+SecretSize:], player)
	hash := sha256.Sum256(input[:])
	return Key{[TagSize]byte(hash[:TagSize])}
}

// Sign writes the right tag into the move that lies in the first [MoveSize] bytes of b. It panics if b
// is shorter.
func (k Key) Sign(b []byte) {
	tag := k.tag(b)
	copy(b[signedSize:MoveSize], tag[:])
}

// HasSigned says whether the move in these bytes carries the right tag, found out in constant time.
// Bytes of another size carry none.
func (k Key) HasSigned(b []byte) bool {
	if len(b) != MoveSize {
		return false
	}
	tag := k.tag(b)
	return subtle.ConstantTimeCompare(tag[:], b[signedSize:]) == 1
}

// tag is the first half of SHA-256 over the key and all bytes of the move before its tag: one block.
func (k Key) tag(b []byte) [TagSize]byte {
	var block [TagSize + signedSize]byte
	copy(block[:], k.bytes[:])
	copy(block[TagSize:], b[:signedSize])
	hash := sha256.Sum256(block[:])
	return [TagSize]byte(hash[:TagSize])
}

// String hides the secret.
func (Secret) String() string { return "hunt.Secret(…)" }

// GoString hides the secret.
func (s Secret) GoString() string { return s.String() }

// String hides the key.
func (Key) String() string { return "hunt.Key(…)" }

// GoString hides the key.
func (k Key) GoString() string { return k.String() }
