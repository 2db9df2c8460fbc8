package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// maxNodes bounds a document with its aliases expanded: nine anchors that each name the one
// before nine times would not fit into memory.
const maxNodes = 1_000_000

// yaml12 reads manifests as a YAML 1.2 reader with the core schema does: `yes` and `1:30` are
// strings, `010` is ten, `<<` is an ordinary key.
//
// The syntax is read by go.yaml.in/yaml/v3, whose parser is libyaml's: it refuses a directive
// `%YAML 1.2` and, after a line `...`, a document without its own `---`. What a plain scalar
// means is decided here (see [resolve]): that library itself takes `010` for octal, `1_000`
// and `0b1` for numbers and `<<` for a merge.
//
// Integers are exact whatever their size. Scalar keys other than strings are turned into
// strings, since JSON has no others. Documents that are empty or null are left out, as in
// [yaml11].
//
// Errors: two equal keys in a mapping, null and collections as keys, .inf and .nan, numbers
// beyond a float of 64 bits, tags outside the core schema.
func yaml12(request manifests) (documents, error) {
	result := documents{[]json.RawMessage{}}
	reader := yamlv3.NewDecoder(strings.NewReader(request.Text))
	for {
		var document yamlv3.Node
		err := reader.Decode(&document)
		if errors.Is(err, io.EOF) {
			return result, nil
		}
		if err != nil {
			return result, err
		}
		var composer composer
		value, err := composer.compose(&document)
		if err != nil {
			return result, err
		}
		if value == nil {
			continue
		}
		object, err := encode(value)
		if err != nil {
			return result, err
		}
		result.Documents = append(result.Documents, object)
	}
}

// composer turns the nodes of one document into values for encoding/json.
type composer struct{ nodes int }

func (c *composer) compose(node *yamlv3.Node) (any, error) {
	c.nodes++
	if c.nodes > maxNodes {
		return nil, at(node, "more than %d nodes in one document", maxNodes)
	}
	switch node.Kind {
	case yamlv3.DocumentNode:
		return c.compose(node.Content[0])
	case yamlv3.AliasNode:
		return c.compose(node.Alias)
	case yamlv3.MappingNode:
		return c.mapping(node)
	case yamlv3.SequenceNode:
		return c.sequence(node)
	default:
		return scalar(node)
	}
}

func (c *composer) mapping(node *yamlv3.Node) (any, error) {
	if err := expectTag(node, "!!map"); err != nil {
		return nil, err
	}
	values := make(map[string]any, len(node.Content)/2)
	for i := 0; i < len(node.Content); i += 2 {
		key, err := c.key(node.Content[i])
		if err != nil {
			return nil, err
		}
		if _, known := values[key]; known {
			return nil, at(node.Content[i], "mapping key %q already defined", key)
		}
		if values[key], err = c.compose(node.Content[i+1]); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (c *composer) key(node *yamlv3.Node) (string, error) {
	value, err := c.compose(node)
	if err != nil {
		return "", err
	}
	switch key := value.(type) {
	case string:
		return key, nil
	case bool, float64, json.Number:
		return fmt.Sprint(key), nil
	default:
		return "", at(node, "a mapping key must be a scalar other than null")
	}
}

func (c *composer) sequence(node *yamlv3.Node) (any, error) {
	if err := expectTag(node, "!!seq"); err != nil {
		return nil, err
	}
	values := make([]any, len(node.Content))
	for i, item := range node.Content {
		var err error
		if values[i], err = c.compose(item); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func scalar(node *yamlv3.Node) (any, error) {
	const notPlain = yamlv3.SingleQuotedStyle | yamlv3.DoubleQuotedStyle | yamlv3.LiteralStyle | yamlv3.FoldedStyle
	switch {
	case node.Style&yamlv3.TaggedStyle != 0:
		return tagged(node)
	case node.Style&notPlain != 0:
		return node.Value, nil
	default:
		return resolved(node)
	}
}

// tagged gives a scalar the type its tag demands, whatever its style.
func tagged(node *yamlv3.Node) (any, error) {
	tag := node.ShortTag()
	if tag == "!" || tag == "!!str" {
		return node.Value, nil
	}
	value, err := resolved(node)
	if err != nil {
		return nil, err
	}
	var fits bool
	switch tag {
	case "!!null":
		fits = value == nil
	case "!!bool":
		_, fits = value.(bool)
	case "!!int":
		_, fits = value.(json.Number)
	case "!!float":
		_, isInteger := value.(json.Number)
		_, isFloat := value.(float64)
		fits = isInteger || isFloat
	default:
		return nil, at(node, "tag `%s` is not in the core schema", tag)
	}
	if !fits {
		return nil, at(node, "`%s` is not a value of tag `%s`", node.Value, tag)
	}
	return value, nil
}

func resolved(node *yamlv3.Node) (any, error) {
	value, err := resolve(node.Value)
	if err != nil {
		return nil, at(node, "%w", err)
	}
	return value, nil
}

func expectTag(node *yamlv3.Node, tag string) error {
	if node.Style&yamlv3.TaggedStyle != 0 && node.ShortTag() != tag && node.ShortTag() != "!" {
		return at(node, "expected tag `%s`, found `%s`", tag, node.ShortTag())
	}
	return nil
}

// at adds the place of node to an error.
func at(node *yamlv3.Node, format string, arguments ...any) error {
	return fmt.Errorf("line %d, column %d: %w", node.Line, node.Column, fmt.Errorf(format, arguments...))
}
