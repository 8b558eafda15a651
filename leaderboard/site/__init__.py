"""The published site: `vnnbench publish` reads a ledger and a library, and these pages show them.

`content` is what all pages share, `pages` lists every file of the site, `folder` puts them in their place.
"""
