"""`replayproxy demo`: the whole job on a gateway of its own, offline, verified."""
