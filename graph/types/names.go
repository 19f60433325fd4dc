package types

import "strings"

// String returns the word for id in the schema language: "int", "float32vector".
func (id ID) String() string {
	switch id {
	case Default:
		return "default"
	case String:
		return "string"
	case Int:
		return "int"
	case Float:
		return "float"
	case Bool:
		return "bool"
	case DateTime:
		return "datetime"
	case Geo:
		return "geo"
	case Password:
		return "password"
	case BigFloat:
		return "bigfloat"
	case Vector:
		return "float32vector"
	case UID:
		return "uid"
	case Binary:
		return "binary"
	default:
		return "invalid"
	}
}

// Valid reports whether id names a type. An ID read from disk or the wire may not.
func (id ID) Valid() bool { return id <= Binary }

// Named returns the type called name in the schema language. The letter case does not matter.
func Named(name string) (ID, bool) {
	for id := Default; id.Valid(); id++ {
		if strings.EqualFold(id.String(), name) {
			return id, true
		}
	}
	return 0, false
}

// Textual reports whether values of id are kept as text: default, string, password and binary.
func (id ID) Textual() bool {
	switch id {
	case Default, String, Password, Binary:
		return true
	default:
		return false
	}
}
