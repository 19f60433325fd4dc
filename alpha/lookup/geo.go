package lookup

import (
	"fmt"

	"dragg/schema/tok"
)

// geo compiles near, within, contains and intersects.
func (b *builder) geo() (condition, error) {
	if _, err := b.tokenizer(tok.Geo); err != nil {
		return condition{}, err
	}
	return condition{}, fmt.Errorf("function %s is not supported yet", b.fn.Name)
}
