"""Several processes that train as one, and how a run is stopped."""
