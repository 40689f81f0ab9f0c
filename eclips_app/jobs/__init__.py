"""The engine process: steps run there, one at a time, watched from here. No Qt."""
