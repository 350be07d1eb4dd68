"""The routable endpoints, one file each: a body becomes a Prompt, a Reply becomes JSON or an event stream."""
