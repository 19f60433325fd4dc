package types

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/bcrypt"
)

// minPasswordBytes is the length of the shortest password (dql.md fact 97).
const minPasswordBytes = 6

var errShortPassword = fmt.Errorf("password too short, i.e. should have at least %d chars", minPasswordBytes)

// Encrypt returns the password value to store for text: its bcrypt hash. A text that already is a bcrypt hash
// is kept, so that a password is never encrypted twice (dql.md fact 97). It takes some 50 ms by design. Texts
// of fewer than 6 or more than 72 bytes are refused.
func Encrypt(text string) (Value, error) {
	if isHash(text) {
		return OfPassword(text), nil
	}
	if len(text) < minPasswordBytes {
		return Value{}, errShortPassword
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(text), bcrypt.DefaultCost)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return Value{}, errors.New("password too long, i.e. should have at most 72 bytes")
	}
	if err != nil {
		return Value{}, fmt.Errorf("encrypt password: %w", err)
	}
	return OfPassword(string(hash)), nil
}

// CheckPassword reports whether guess is the secret of the stored password v. It takes as long as Encrypt.
func CheckPassword(v Value, guess string) bool {
	return v.typ == Password && bcrypt.CompareHashAndPassword([]byte(v.Str()), []byte(guess)) == nil
}

// isHash recognises what bcrypt makes: 60 bytes with a known version and a cost that does not stall the node.
func isHash(text string) bool {
	const hashBytes, maxCost = 60, 14
	if len(text) != hashBytes {
		return false
	}
	cost, err := bcrypt.Cost([]byte(text))
	return err == nil && cost <= maxCost
}
