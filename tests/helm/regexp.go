package main

import (
	"regexp"
	"regexp/syntax"
)

// regexpRequest holds regular expressions, and texts that each of them may match.
type regexpRequest struct {
	operation
	Patterns []string `json:"patterns"`
	Texts    []string `json:"texts"`
}

// regexpResult holds for each expression why it is refused, or nothing, and whether it matches each text as a whole.
type regexpResult struct {
	Refusals []string `json:"refusals"`
	Matches  [][]bool `json:"matches,omitempty"`
}

// refusals parses expressions as [regexp.Compile] does, which Istio validates matches with.
func refusals(request regexpRequest) (regexpResult, error) {
	result := regexpResult{Refusals: make([]string, len(request.Patterns))}
	for index, pattern := range request.Patterns {
		if _, err := syntax.Parse(pattern, syntax.Perl); err != nil {
			result.Refusals[index] = err.Error()
		}
		if len(request.Texts) > 0 {
			result.Matches = append(result.Matches, matches(pattern, request.Texts))
		}
	}
	return result, nil
}

// matches is empty for an expression that is refused.
func matches(pattern string, texts []string) []bool {
	compiled, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return []bool{}
	}
	found := make([]bool, len(texts))
	for index, text := range texts {
		found[index] = compiled.MatchString(text)
	}
	return found
}
