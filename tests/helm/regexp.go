package main

import "regexp/syntax"

// regexpRequest holds regular expressions.
type regexpRequest struct {
	operation
	Patterns []string `json:"patterns"`
}

// regexpResult holds for each expression why it is refused, or nothing.
type regexpResult struct {
	Refusals []string `json:"refusals"`
}

// refusals parses expressions as [regexp.Compile] does, which Istio validates matches with.
func refusals(request regexpRequest) (regexpResult, error) {
	result := regexpResult{Refusals: make([]string, len(request.Patterns))}
	for index, pattern := range request.Patterns {
		if _, err := syntax.Parse(pattern, syntax.Perl); err != nil {
			result.Refusals[index] = err.Error()
		}
	}
	return result, nil
}
