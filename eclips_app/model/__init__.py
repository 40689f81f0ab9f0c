"""The document: frozen items in one mutable project, known to views by their ids."""
