package playbook

import "trio/ranking"

// checker looks for what is wrong with a document as a whole.
type checker struct{ r *reader }

func (c *checker) wrong(path, reason, remedy string) {
	for i := range c.r.found {
		if related(c.r.found[i].path, path) {
			return // what was said already may be why
		}
	}
	c.r.problem(-1, path, reason, remedy)
}

func (c *checker) check(d *Doc) {
	c.languages(d)
}

func (c *checker) languages(d *Doc) {
	all := d.languages()
	w := walker{texts: func(path []byte, t *ranking.Texts, _ *textKind) {
		for _, ph := range *t {
			if !has(all, ph.Lang) {
				c.wrong(string(path)+"."+ph.Lang, "the playbook is not in \""+ph.Lang+"\"", "add it to \"languages\", or to \"drafts\" while not all is translated")
			}
		}
		for _, lang := range d.Languages {
			if len(*t) > 0 && !speaks(*t, lang) {
				c.wrong(string(path), "the text is not there in \""+lang+"\"", "add \""+lang+"\": \"…\"")
			}
		}
	}}
	document(&w, d)
}

func speaks(t ranking.Texts, lang string) bool {
	for _, ph := range t {
		if ph.Lang == lang {
			return true
		}
	}
	return false
}
