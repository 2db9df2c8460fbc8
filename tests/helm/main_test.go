package main

import (
	"strings"
	"testing"
)

func TestEveryLineGetsItsAnswer(t *testing.T) {
	for name, c := range map[string]struct{ request, answer string }{
		"index out of range is an error": {
			`{"op":"template","text":"{{ index .Weights 5 }}","weights":[[1]]}`,
			`{"error":"template: routing:1:3: executing \"routing\" at <index .Weights 5>: error calling index: index out of range: 5"}`,
		},
		"template escapes as HTML": {
			`{"op":"template","text":"a: {{ \"<\" }}{{ index .Weights 0 }}","weights":[[50,50],[0,1]]}`,
			`{"ok":{"outputs":["a: &lt;50","a: &lt;0"]}}`,
		},
		"template parses its outputs": {
			`{"op":"template","text":"{{ if .Weights }}a: 1{{ end }}","weights":[[50],[]],"parse":true}`,
			`{"ok":{"outputs":["a: 1",""],"objects":[{"a":1},null]}}`,
		},
		"yaml11 keeps integers and reads the old booleans": {
			`{"op":"yaml11","text":"---\n---\na: 9007199254740993\nb: 010\nc: yes\n---\n~\n"}`,
			`{"ok":{"documents":[{"a":9007199254740993,"b":8,"c":true}]}}`,
		},
		"yaml12 follows the core schema": {
			`{"op":"yaml12","text":"---\n---\n- 010\n- 0o10\n- 0x1F\n- 0b1\n- 1_000\n- 1:30\n- yes\n- TRUE\n- ~\n- .5\n- '1'\n- !!str 1\n- <<: a\n"}`,
			`{"ok":{"documents":[[10,8,31,"0b1","1_000","1:30","yes",true,null,0.5,"1","1",{"<<":"a"}]]}}`,
		},
		"yaml12 refuses equal keys": {
			`{"op":"yaml12","text":"a: 1\n\"a\": 2\n"}`,
			`{"error":"line 2, column 1: mapping key \"a\" already defined"}`,
		},
		"yaml12 refuses an anchor inside itself": {
			`{"op":"yaml12","text":"a: &a [*a]\n"}`,
			`{"error":"line 1, column 8: more than 1000000 nodes in one document"}`,
		},
		"values merges kind by kind": {
			`{"op":"values","setLiteral":["l=a,b"],"setFile":[["f","x\n"]],"setJson":["j=[1]"],"setString":["s=1"],"set":["a.b=2"],"files":["a: {b: 1, c: 1}","a: {c: null}"]}`,
			`{"ok":{"values":{"a":{"b":2,"c":null},"f":"x\n","j":[1],"l":"a,b","s":"1"}}}`,
		},
		"values keeps Helm's error": {
			`{"op":"values","set":["a"]}`,
			`{"error":"failed parsing --set data: key \"a\" has no value"}`,
		},
		"unknown field is an error": {
			`{"op":"values","sets":[]}`,
			`{"error":"request: json: unknown field \"sets\""}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := serve(strings.NewReader(c.request), &out); err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSuffix(out.String(), "\n"); got != c.answer {
				t.Errorf("%s\n got %s\nwant %s", c.request, got, c.answer)
			}
		})
	}
}
