package main

// The rules by which Envoy chooses a route, for what istiod writes. A rule that is not here is an error,
// never a silent match.

import (
	"fmt"
	"regexp"
	"strings"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	envoyroute "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcher "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
)

// virtualHost finds the one with the most specific domain: exact, then the longest `*.suffix`, then the
// longest `prefix.*`, then `*`.
func virtualHost(table *envoyroute.RouteConfiguration, authority string) *envoyroute.VirtualHost {
	var best *envoyroute.VirtualHost
	rank := 0
	for _, host := range table.VirtualHosts {
		if found := bestDomain(host.Domains, authority); found > rank {
			best, rank = host, found
		}
	}
	return best
}

// bestDomain ranks the best of `domains` that covers `name`; 0 if none does.
func bestDomain(domains []string, name string) int {
	const longest = 1 << 16
	best := 0
	name = strings.ToLower(name)
	for _, domain := range domains {
		rank := 0
		domain = strings.ToLower(domain)
		switch {
		case domain == name:
			rank = 3 * longest
		case domain == "*":
			rank = 1
		case strings.HasPrefix(domain, "*") && len(name) > len(domain)-1 && strings.HasSuffix(name, domain[1:]):
			rank = 2*longest + len(domain)
		case strings.HasSuffix(domain, "*") && len(name) > len(domain)-1 && strings.HasPrefix(name, domain[:len(domain)-1]):
			rank = longest + len(domain)
		}
		best = max(best, rank)
	}
	return best
}

func matches(match *envoyroute.RouteMatch, request *httpRequest) (bool, error) {
	if match.RuntimeFraction != nil || match.Grpc != nil || match.TlsContext != nil || len(match.DynamicMetadata) > 0 {
		return false, fmt.Errorf("match %v is not supported", match)
	}
	path, query, _ := strings.Cut(request.Path, "?")
	if matched, err := matchesPath(match, path, request.Method); !matched || err != nil {
		return false, err
	}
	for _, header := range match.Headers {
		value, present := request.Headers[strings.ToLower(header.Name)]
		if matched, err := matchesHeader(header, value, present); !matched || err != nil {
			return false, err
		}
	}
	parameters := firstParameters(query)
	for _, parameter := range match.QueryParameters {
		if matched, err := matchesParameter(parameter, parameters); !matched || err != nil {
			return false, err
		}
	}
	return true, nil
}

func matchesPath(match *envoyroute.RouteMatch, path, method string) (bool, error) {
	fold := func(text string) string { return text }
	if match.CaseSensitive != nil && !match.CaseSensitive.Value {
		fold = strings.ToLower
	}
	switch wanted := match.PathSpecifier.(type) {
	case *envoyroute.RouteMatch_Path:
		return fold(path) == fold(wanted.Path), nil
	case *envoyroute.RouteMatch_Prefix:
		return strings.HasPrefix(fold(path), fold(wanted.Prefix)), nil
	case *envoyroute.RouteMatch_PathSeparatedPrefix:
		prefix := fold(wanted.PathSeparatedPrefix)
		return fold(path) == prefix || strings.HasPrefix(fold(path), prefix+"/"), nil
	case *envoyroute.RouteMatch_SafeRegex:
		return matchesWhole(wanted.SafeRegex, path)
	case *envoyroute.RouteMatch_ConnectMatcher_:
		return method == "CONNECT", nil
	default:
		return false, fmt.Errorf("path specifier %T is not supported", wanted)
	}
}

func matchesHeader(wanted *envoyroute.HeaderMatcher, value string, present bool) (bool, error) {
	if specifier, ok := wanted.HeaderMatchSpecifier.(*envoyroute.HeaderMatcher_PresentMatch); ok || wanted.HeaderMatchSpecifier == nil {
		expected := !ok || specifier.PresentMatch
		return (present == expected) != wanted.InvertMatch, nil
	}
	// An absent header matches no other rule, not even an inverted one.
	if !present && !wanted.TreatMissingHeaderAsEmpty {
		return false, nil
	}
	var matched bool
	var err error
	switch specifier := wanted.HeaderMatchSpecifier.(type) {
	case *envoyroute.HeaderMatcher_StringMatch:
		matched, err = matchesString(specifier.StringMatch, value)
	case *envoyroute.HeaderMatcher_ExactMatch:
		matched = value == specifier.ExactMatch
	case *envoyroute.HeaderMatcher_PrefixMatch:
		matched = strings.HasPrefix(value, specifier.PrefixMatch)
	case *envoyroute.HeaderMatcher_SuffixMatch:
		matched = strings.HasSuffix(value, specifier.SuffixMatch)
	case *envoyroute.HeaderMatcher_ContainsMatch:
		matched = strings.Contains(value, specifier.ContainsMatch)
	case *envoyroute.HeaderMatcher_SafeRegexMatch:
		matched, err = matchesWhole(specifier.SafeRegexMatch, value)
	default:
		return false, fmt.Errorf("header match %T is not supported", specifier)
	}
	return matched != wanted.InvertMatch, err
}

func matchesParameter(wanted *envoyroute.QueryParameterMatcher, parameters map[string]string) (bool, error) {
	value, present := parameters[wanted.Name]
	switch specifier := wanted.QueryParameterMatchSpecifier.(type) {
	case nil:
		return present, nil
	case *envoyroute.QueryParameterMatcher_PresentMatch:
		return present == specifier.PresentMatch, nil
	case *envoyroute.QueryParameterMatcher_StringMatch:
		if !present {
			return false, nil
		}
		return matchesString(specifier.StringMatch, value)
	default:
		return false, fmt.Errorf("query parameter match %T is not supported", specifier)
	}
}

// firstParameters are the first values of a query's parameters. Envoy compares them as they are written
// (`QueryParamsMulti::parseQueryString`).
func firstParameters(query string) map[string]string {
	first := map[string]string{}
	for _, part := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		if _, seen := first[name]; !seen && name != "" {
			first[name] = value
		}
	}
	return first
}

func matchesString(wanted *matcher.StringMatcher, value string) (bool, error) {
	fold := func(text string) string { return text }
	if wanted.IgnoreCase {
		fold = strings.ToLower
	}
	switch pattern := wanted.MatchPattern.(type) {
	case *matcher.StringMatcher_Exact:
		return fold(value) == fold(pattern.Exact), nil
	case *matcher.StringMatcher_Prefix:
		return strings.HasPrefix(fold(value), fold(pattern.Prefix)), nil
	case *matcher.StringMatcher_Suffix:
		return strings.HasSuffix(fold(value), fold(pattern.Suffix)), nil
	case *matcher.StringMatcher_Contains:
		return strings.Contains(fold(value), fold(pattern.Contains)), nil
	case *matcher.StringMatcher_SafeRegex:
		return matchesWhole(pattern.SafeRegex, value)
	default:
		return false, fmt.Errorf("string match %T is not supported", pattern)
	}
}

// matchesWhole is RE2's full match; Go's syntax is RE2's.
func matchesWhole(wanted *matcher.RegexMatcher, value string) (bool, error) {
	compiled, err := regexp.Compile(`^(?:` + wanted.Regex + `)$`)
	if err != nil {
		return false, err
	}
	return compiled.MatchString(value), nil
}

var backReference = regexp.MustCompile(`\\(\d)`)

// rewrittenPath gives the path sent upstream, with its query; "" if it is left alone.
func rewrittenPath(path string, match *envoyroute.RouteMatch, action *envoyroute.RouteAction) (string, error) {
	path, query, hasQuery := strings.Cut(path, "?")
	switch {
	case action.PrefixRewrite != "":
		matched := path // An exact path or a pattern matched all of it.
		switch wanted := match.PathSpecifier.(type) {
		case *envoyroute.RouteMatch_Prefix:
			matched = wanted.Prefix
		case *envoyroute.RouteMatch_PathSeparatedPrefix:
			matched = wanted.PathSeparatedPrefix
		}
		path = action.PrefixRewrite + path[len(matched):]
	case action.RegexRewrite != nil:
		compiled, err := regexp.Compile(action.RegexRewrite.GetPattern().GetRegex())
		if err != nil {
			return "", err
		}
		substitution := strings.ReplaceAll(action.RegexRewrite.Substitution, "$", "$$")
		path = compiled.ReplaceAllString(path, backReference.ReplaceAllString(substitution, "$${$1}"))
	case action.PathRewritePolicy != nil || action.PathRewrite != "":
		return "", fmt.Errorf("this path rewrite is not supported: %v", action)
	default:
		return "", nil
	}
	if hasQuery {
		path += "?" + query
	}
	return path, nil
}

// percent is 100 if no fraction is given.
func percent(fraction *core.RuntimeFractionalPercent) float64 {
	if fraction == nil {
		return 100
	}
	of := map[envoytype.FractionalPercent_DenominatorType]float64{
		envoytype.FractionalPercent_HUNDRED:      100,
		envoytype.FractionalPercent_TEN_THOUSAND: 10_000,
		envoytype.FractionalPercent_MILLION:      1_000_000,
	}[fraction.GetDefaultValue().GetDenominator()]
	return float64(fraction.GetDefaultValue().GetNumerator()) * 100 / of
}
