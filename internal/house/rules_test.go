package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every rule of the spec's sections 2 to 5 is cited by a test: "spec 3.5" in a comment of a _test.go file.
func TestEveryRuleIsCitedByATest(t *testing.T) {
	t.Parallel()
	cited := map[string]bool{}
	comment, number := regexp.MustCompile(`//.*\bspec\b.*`), regexp.MustCompile(`\b[2-5]\.\d+\b`)
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, line := range comment.FindAllString(string(text), -1) {
			for _, rule := range number.FindAllString(line, -1) {
				cited[rule] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for section, last := range map[int]int{2: 5, 3: 14, 4: 11, 5: 5} {
		for rule := 1; rule <= last; rule++ {
			if name := fmt.Sprintf("%d.%d", section, rule); !cited[name] {
				t.Errorf("no test cites rule %s", name)
			}
		}
	}
}
