// Package lint is the house rules as tests: floors of imports, bans with their replacements, sizes, documentation. It holds
// no code that anything imports. CONTRIBUTING.md says the rules in words.
package lint
