"""The projects of `docs/guides`: each before and after its guide, on a real standby that stands still.

`docs/guides/*.md` quote these files: a code block after `<!-- from tests/guides/... -->` is a region of that file.
"""
