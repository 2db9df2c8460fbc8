package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"k8s.io/klog/v2"

	"istio.io/istio/pkg/log"
)

type request struct {
	Op       string            `json:"op"`
	Objects  []json.RawMessage `json:"objects"`
	Requests []httpRequest     `json:"requests"`
}

func work(in io.Reader, out io.Writer) error {
	setLogLevel(os.Getenv("ISTIO_LOG"))
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return eachLine(in, func(line []byte) error {
		ok, err := answerLine(line)
		if err != nil {
			return encoder.Encode(reply{Error: err.Error()})
		}
		return encoder.Encode(reply{Ok: ok})
	})
}

func setLogLevel(name string) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	level := log.NoneLevel
	for candidate, text := range map[log.Level]string{log.DebugLevel: "debug", log.InfoLevel: "info", log.WarnLevel: "warn", log.ErrorLevel: "error"} {
		if name == text {
			level = candidate
		}
	}
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	_ = log.Configure(options)
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(level)
	}
}

func answerLine(line []byte) (ok any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	var asked request
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return nil, fmt.Errorf("malformed request: %w", err)
	}
	if decoder.More() {
		return nil, fmt.Errorf("malformed request: more than one JSON value in the line")
	}
	switch asked.Op {
	case "validate":
		results := make([]verdict, 0, len(asked.Objects))
		for _, object := range asked.Objects {
			results = append(results, validate(object))
		}
		return map[string]any{"results": results}, nil
	case "route":
		answers, err := route(asked.Objects, asked.Requests)
		return map[string]any{"answers": answers}, err
	case "status":
		statuses, err := statuses(asked.Objects)
		return map[string]any{"statuses": statuses}, err
	default:
		return nil, fmt.Errorf("unknown op %q: expected validate, route or status", asked.Op)
	}
}
