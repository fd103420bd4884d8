package server

import (
	"strings"
	"unicode/utf8"

	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// Bounds of what is told of one document that does not fit the schema. Nobody reads more.
const (
	maxErrors  = 20
	maxMessage = 500 // bytes; a message may quote a value of the document
)

// newRules are the rules that one document is validated by. They stop telling after maxErrors.
func newRules() *rules.Rules {
	all := rules.NewDefaultRules()
	for _, quiet := range []core.Rule{
		rules.FieldsOnCorrectTypeRuleWithoutSuggestions, rules.KnownArgumentNamesRuleWithoutSuggestions, rules.KnownTypeNamesRuleWithoutSuggestions,
		rules.ScalarLeafsRuleWithoutSuggestions, rules.ValuesOfCorrectTypeRuleWithoutSuggestions,
	} {
		all.RemoveRule(strings.TrimSuffix(quiet.Name, "WithoutSuggestions"))
		all.AddRule(quiet.Name, quiet.RuleFunc) // as the executor would, which leaves those alone that are there
	}
	for _, own := range []core.Rule{overlappingFields(), singleRoot()} {
		all.ReplaceRule(own.Name, own.RuleFunc)
	}
	told := 0
	for name, rule := range all.GetInner() {
		all.ReplaceRule(name, func(observers *core.Events, add core.AddErrFunc) {
			rule(observers, func(options ...core.ErrorOption) {
				switch told++; {
				case told <= maxErrors:
					add(append(options, shorten)...)
				case told == maxErrors+1:
					add(core.Message("There are more errors, which are left out: mend these first."))
				}
			})
		})
	}
	return all
}

// shorten cuts a long message off.
func shorten(err *gqlerror.Error) {
	if len(err.Message) <= maxMessage {
		return
	}
	end := maxMessage
	for !utf8.RuneStart(err.Message[end]) {
		end--
	}
	err.Message = err.Message[:end] + "…"
}
