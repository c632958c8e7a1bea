// Package page is what people see: HTML under /ui/, rendered here, over what package
// search answers. Every state has an address; all but the map works without a script.
//
// A page is a function that fills a struct and the template of its name in tmpl, which
// stands in tmpl/frame.html. Links are relative to the depth of the address ([frame.To]),
// so that the pages work behind any prefix of a path. Package api mounts a [Site], asks
// for credentials, refuses POSTs of other sites, and has it show its errors; a GET
// changes nothing, and a POST answers with the address that shows what came of it.
//
// Nothing is loaded from elsewhere: static holds one stylesheet, two scripts and, as
// published, htmx (static/vendor/VENDOR.json). The policy allows scripts of this origin
// alone and no markup made by scripts but htmx's. So documents' texts stay texts, by
// html/template and by the policy.
//
// # Concurrency
//
// A Site may be used by many goroutines. What takes long to answer is worked out by a
// goroutine of the Site, while pages say so and come back; Close ends these and waits.
// Nothing is stored but decisions, which package catalog makes durable before the
// answer.
package page
