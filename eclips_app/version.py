"""The program's version, alone in a file so that every part can read it without importing anything."""

VERSION = "0.1.0"
