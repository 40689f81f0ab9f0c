"""From images to height: readiness, options, the run itself, and the runs made so far."""
