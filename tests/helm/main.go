// Command helm answers questions about Go templates, YAML and Helm values with the code
// that decides them in a cluster.
//
// It stands for three readers of what r8 writes and takes: the Iter8 controller, which runs
// the routing template of a routemap; kubectl and any YAML 1.2 reader, which read the
// manifests; and Helm, whose merge of values files and --set flags r8 follows. Nothing is
// installed and nothing is sent anywhere.
//
// # Protocol
//
// Standard input holds one JSON object per line, standard output answers each with one line,
// in order, until the input ends. "op" names the question; an unknown field is an error. The
// answer is {"ok": …}, or {"error": "text"} with the text of the library that refused.
//
//	{"op":"template","text":"weight: {{ index .Weights 1 }}","weights":[[50,50],[50,0]]}
//	{"ok":{"outputs":["weight: 50","weight: 0"]}}
//
//	{"op":"template","text":"weight: {{ index .Weights 1 }}","weights":[[9,1]],"parse":true}
//	{"ok":{"outputs":["weight: 1"],"objects":[{"weight":1}]}}
//
//	{"op":"yaml11","text":"a: 010\n---\nb: yes\n"}
//	{"ok":{"documents":[{"a":8},{"b":true}]}}
//
//	{"op":"yaml12","text":"a: 010\n---\nb: yes\n"}
//	{"ok":{"documents":[{"a":10},{"b":"yes"}]}}
//
//	{"op":"values","files":["a: {b: 1}"],"set":["a.c=2"],"setFile":[["d","text\n"]]}
//	{"ok":{"values":{"a":{"b":1,"c":2},"d":"text\n"}}}
//
//	{"op":"regexp","patterns":["a+","a**"],"texts":["aa"]}
//	{"ok":{"refusals":["","error parsing regexp: invalid nested repetition operator: `**`"],"matches":[[true],[]]}}
//
// Object keys come out sorted. See [evaluated], [yaml11], [yaml12], [mergedValues] and
// [refusals] for what each question means.
//
// The module also names the Helm CLI as a tool: "go build -o DIR helm.sh/helm/v4/cmd/helm".
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// serve answers each line of in on out; it fails only if one of the two does.
func serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	answers := json.NewEncoder(out)
	answers.SetEscapeHTML(false)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if err := answers.Encode(reply(line)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// answer has exactly one of its fields set.
type answer struct {
	OK    json.RawMessage `json:"ok,omitempty"`
	Error string          `json:"error,omitempty"`
}

// reply answers one request. A panic of a library is an answer too: it must not take the
// questions that follow with it.
func reply(line []byte) (a answer) {
	defer func() {
		if cause := recover(); cause != nil {
			a = answer{Error: fmt.Sprintf("panic: %v", cause)}
		}
	}()
	result, err := dispatch(line)
	if err != nil {
		return answer{Error: err.Error()}
	}
	text, err := encode(result)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{OK: text}
}

func dispatch(line []byte) (any, error) {
	var request struct {
		Op string `json:"op"`
	}
	if err := json.Unmarshal(line, &request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	switch request.Op {
	case "template":
		return decodeAnd(line, evaluated)
	case "yaml11":
		return decodeAnd(line, yaml11)
	case "yaml12":
		return decodeAnd(line, yaml12)
	case "values":
		return decodeAnd(line, mergedValues)
	case "regexp":
		return decodeAnd(line, refusals)
	default:
		return nil, fmt.Errorf("request: unknown op %q, expected template, yaml11, yaml12, values or regexp", request.Op)
	}
}

// operation is the part of a request that every question has.
type operation struct {
	Op string `json:"op"`
}

func decodeAnd[Request, Result any](line []byte, ask func(Request) (Result, error)) (any, error) {
	var request Request
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&request); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	return ask(request)
}

// encode writes value as JSON and leaves `<`, `>` and `&` as they are.
func encode(value any) (json.RawMessage, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(buffer.Bytes()), nil
}
