// Package playbook is a company's playbook as a document: what people write, what is published, and what devices and
// the server read.
//
// A document is JSON of one form: triggers, limits, goals, badges, pieces of content, a newcomer's first days, in all the
// company's languages (Doc). Parse reads it and says of everything that is wrong where it stands and what to do; Encode writes
// it in its one form, which Hash is of. The form is said once (document), and reading, writing and the schema go over it.
package playbook
