// Package feed serves a company's activity feed over HTTP: what all its members logged, in one order, for programs.
//
//	GET /v1/feed?cursor=…&limit=…&wait=…&format=ndjson
//	Authorization: Bearer trio_k_…
//
// The answer is NDJSON, one JSON object per line. Each record is
//
//	{"entry":"<uuid>","member":"<uuid>","device":"<uuid>","arrived":<ms since 1970>,"action":{…}}
//
// and the last line is
//
//	{"cursor":"…","more":true}
//
// The cursor stands last, and in the body, because it is true only of an answer that was read to its end: a reader
// whose connection broke has no cursor and asks again with the old one. "more" says that the page was full, so ask
// again at once. Parameters: cursor (none: from the start), limit (records of a page: 1 to 10000, default 1000), wait
// (seconds, up to 30, to wait for something new when there is nothing; default 0), format (only ndjson).
//
// Errors are JSON too: {"error":{"code":"…","message":"…","hint":"…"}}. Status 401: the key; 403: the key lacks the
// scope "feed"; 400: a parameter, with the
// code "cursor" for a cursor that is not of this feed; 503: come back.
//
// # What it promises
//
// No gap and no duplicate: whoever keeps the cursor of the last answer with the records of it, and comes back with that
// cursor, sees every record once, across restarts of both sides. Records of one member that came from different devices
// stand in the order of their arrival at the server, not of the times they claim.
//
// # What it never does
//
// It never tells what the store did not put there (names, notes, phone numbers of contacts are not in it), it keeps no
// state of a reader, and it never logs a key or a cursor.
package feed
