package main

import (
	"bytes"
	"fmt"

	"helm.sh/helm/v4/pkg/cli/values"
	"helm.sh/helm/v4/pkg/getter"
)

// valueFlags are the flags of one Helm command, each in the order given there.
type valueFlags struct {
	operation
	// Files are the texts of -f files; an error calls them values-1.yaml, values-2.yaml, ….
	Files      []string `json:"files"`
	Set        []string `json:"set"`
	SetString  []string `json:"setString"`
	SetJSON    []string `json:"setJson"`
	SetLiteral []string `json:"setLiteral"`
	// SetFile holds pairs of a key, in the grammar of --set-file, and a file's text.
	SetFile [][2]string `json:"setFile"`
}

type merged struct {
	Values map[string]any `json:"values"`
}

// mergedValues merges the flags by Helm's own MergeValues: kind by kind, whatever the order
// in which a user would give them, and before any chart's defaults. A null stays.
//
// Every number of a file is a float64, as in Helm; --set gives whole numbers of 64 bits.
func mergedValues(request valueFlags) (merged, error) {
	files := texts{}
	options := values.Options{
		Values:        request.Set,
		StringValues:  request.SetString,
		JSONValues:    request.SetJSON,
		LiteralValues: request.SetLiteral,
	}
	for i, text := range request.Files {
		name := fmt.Sprintf("values-%d.yaml", i+1)
		files[name] = text
		options.ValueFiles = append(options.ValueFiles, name)
	}
	for i, pair := range request.SetFile {
		name := fmt.Sprintf("file-%d", i+1)
		files[name] = pair[1]
		options.FileValues = append(options.FileValues, pair[0]+"="+name)
	}
	result, err := options.MergeValues(files.providers())
	return merged{result}, err
}

// texts maps file names to contents. As the getter of paths without a scheme it keeps Helm
// from the disk and the network.
type texts map[string]string

func (t texts) providers() getter.Providers {
	return getter.Providers{{
		Schemes: []string{""},
		New:     func(...getter.Option) (getter.Getter, error) { return t, nil },
	}}
}

func (t texts) Get(name string, _ ...getter.Option) (*bytes.Buffer, error) {
	text, known := t[name]
	if !known {
		return nil, fmt.Errorf("open %s: no such file or directory", name)
	}
	return bytes.NewBufferString(text), nil
}
