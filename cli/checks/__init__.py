"""What `understudy doctor` looks at: one file per part of the surroundings, each a generator of findings.

Checks change nothing: no key file is made, no schema upgraded, no port kept. Each is given what it looks at, and
whatever it meets becomes a finding with what is wrong and how to mend it.
"""
