"""The decision: which model answers this call. Pure: values in, a Decision out; no I/O, no framework, no clock.

`query` reads a request once; `rules` matches the owner's YAML rules, first match wins; `limits` holds the hard rules
(what an engine cannot do goes upstream); `decide` puts them together. Unknown always goes upstream.
"""
