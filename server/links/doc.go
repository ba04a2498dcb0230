// Package links follows the personal links that members share: GET /s/CODE leads on to the piece's address in the playbook of
// the member's company, with the parameters that the playbook names (playbook.Sharing), so that the company's pages know who
// shared. The code was minted on a device, offline (crdt.Link); the server has nothing to look up but the member and the
// playbook.
//
// It never leads anywhere else: an address comes from a published playbook alone, of a piece that may be shared now. It notes
// nothing of who follows a link, sets no cookie and asks for nothing. A code that is damaged, of nobody or of a piece that is no
// more gets a page that says so, in the reader's language.
package links
