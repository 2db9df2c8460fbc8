package main

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
)

// The tag resolution of YAML 1.2.2, section 10.3.2, in its order; what none matches is a string.
var (
	coreNull    = regexp.MustCompile(`^(null|Null|NULL|~|)$`)
	coreTrue    = regexp.MustCompile(`^(true|True|TRUE)$`)
	coreFalse   = regexp.MustCompile(`^(false|False|FALSE)$`)
	coreDecimal = regexp.MustCompile(`^[-+]?[0-9]+$`)
	coreOctal   = regexp.MustCompile(`^0o([0-7]+)$`)
	coreHex     = regexp.MustCompile(`^0x([0-9a-fA-F]+)$`)
	coreFloat   = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	coreNoJSON  = regexp.MustCompile(`^([-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN)$`)
)

// resolve gives a plain scalar its value: nil, bool, json.Number for an integer, float64 or
// string.
func resolve(text string) (any, error) {
	switch {
	case coreNull.MatchString(text):
		return nil, nil
	case coreTrue.MatchString(text):
		return true, nil
	case coreFalse.MatchString(text):
		return false, nil
	case coreDecimal.MatchString(text):
		return integer(text, 10), nil
	case coreOctal.MatchString(text):
		return integer(text[2:], 8), nil
	case coreHex.MatchString(text):
		return integer(text[2:], 16), nil
	case coreFloat.MatchString(text):
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("`%s` does not fit into 64 bits", text)
		}
		return value, nil
	case coreNoJSON.MatchString(text):
		return nil, fmt.Errorf("`%s` has no JSON form", text)
	default:
		return text, nil
	}
}

// integer keeps every digit; base must be the one that matched digits.
func integer(digits string, base int) json.Number {
	value, _ := new(big.Int).SetString(digits, base)
	return json.Number(value.String())
}
