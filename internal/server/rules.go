package server

import (
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// newRules are the rules that one document is validated by.
func newRules() *rules.Rules {
	all := rules.NewDefaultRules()
	merge := overlappingFields()
	all.ReplaceRule(merge.Name, merge.RuleFunc)
	return all
}
