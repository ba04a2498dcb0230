// The core of the phone: the replica, its syncer and the calls of screens, as a program for the browser's worker. The
// worker gives it SQLite as module "trio" (replica/sql/bridge.mjs), and finds it as globalThis.trioCore:
//
//	open({path, member, device, url, token}) → Promise   opens or makes the data; member and device are needed to make it,
//	                                                     and url and token to sync
//	call(key, method, json) → Promise of json            see package device
//	importFile(name, code, bytes) → Promise of json      a file of contacts or orders; see device.Import
//	wake()                                               the page was shown, or the network came back
//	close() → Promise
//	onchange()                                           set by the worker: something that a screen shows has changed
//
// A promise that is rejected has an Error with a sentence for people.
package main
