"""The published site: `vnnbench publish` reads a ledger and a library, and these pages show them.

`content` gathers what all pages share, `pages` yields every file of the site, `folder` writes them.
"""
