package device

import "trio/replica"

// boards and team are what the server last said, when that was (ms) and its tag; an empty object when it never has.
func (c *call) boards() error { return c.kept(replica.KeptBoards) }

func (c *call) team() error { return c.kept(replica.KeptTeam) }

func (c *call) kept(what string) error {
	k, err := c.d.R.Kept(c.ctx, what)
	if err != nil || k.Body == "" {
		return err
	}
	c.open('{')
	c.number("at", k.At.UnixMilli())
	c.text("tag", k.Tag)
	c.name("body")
	c.out = append(c.out, k.Body...)
	c.close('}')
	return nil
}

// keepBoards keeps what the server said now of what the key names; without a body, that the one of the tag is still so.
func (c *call) keepBoards() error { return c.d.R.Keep(c.ctx, c.args.Key, c.Tag, c.Body) }
