"""Undoable edits of the document; the history is also the record of what was done."""
