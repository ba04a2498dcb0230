package playbook

import _ "embed"

// schema is made from the form and from the descriptions in schema_test.go.
//
//go:embed playbook.schema.json
var schema string

// Schema returns the JSON Schema (2020-12) of the document. What stands between fields, such as that a badge's metric is
// one of the metrics, only Parse knows.
func Schema() []byte { return []byte(schema) }
